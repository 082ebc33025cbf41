"""The events that announce a lineage entry: whoever finds the entry can derive and publish them."""

from consumers.publisher import Outgoing
from consumers.training.drift_command import close_on_drift
from model.lineage import LineageEntry
from schemas.topics import CONTROL, EVALUATION_EVENTS, MODEL_VERSIONS


def announcement(entry: LineageEntry, *, source: str) -> list[Outgoing]:
    """Its version, its evaluation, and a command where it found a drift: the same ones each time.

    Args:
        entry: of the lineage.
        source: who publishes, a URI reference.
    """
    pairs = (
        (MODEL_VERSIONS, entry.version),
        (EVALUATION_EVENTS, entry.evaluation),
        (CONTROL, close_on_drift(entry)),
    )
    return [
        Outgoing(topic, event.encode(), entry.task.encode(), event.headers(source))
        for topic, event in pairs
        if event is not None
    ]
