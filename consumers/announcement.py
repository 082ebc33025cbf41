"""The events that announce a lineage entry: whoever finds the entry can derive and publish them."""

from consumers.publisher import Outgoing
from model.lineage import LineageEntry
from schemas.topics import EVALUATION_EVENTS, MODEL_VERSIONS


def announcement(entry: LineageEntry, *, source: str) -> list[Outgoing]:
    """Its version, where it has one, then its evaluation; the same events however often.

    Args:
        entry: of the lineage.
        source: who publishes, a URI reference.
    """
    pairs = ((MODEL_VERSIONS, entry.version), (EVALUATION_EVENTS, entry.evaluation))
    return [
        Outgoing(topic, event.encode(), entry.task.encode(), event.headers(source))
        for topic, event in pairs
        if event is not None
    ]
