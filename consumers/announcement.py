"""The events that announce a lineage entry: whoever finds the entry can derive and publish them."""

from consumers.publisher import Outgoing
from consumers.training.drift_command import close_on_drift
from consumers.training.refused_labels import refused_labels
from model.lineage_entry import LineageEntry
from schemas.topics import CONTROL, EVALUATION_EVENTS, LABELED_TEXTS_DEAD, MODEL_VERSIONS


def announcement(entry: LineageEntry, *, source: str) -> list[Outgoing]:
    """Its version, its evaluation, a command where it found a drift: the same ones each time.

    Records whose labels it refused are dead letters beside them.

    Args:
        entry: of the lineage.
        source: who publishes, a URI reference.
    """
    pairs = (
        (MODEL_VERSIONS, entry.version),
        (EVALUATION_EVENTS, entry.evaluation),
        (CONTROL, close_on_drift(entry)),
    )
    letters = [(LABELED_TEXTS_DEAD, letter) for letter in refused_labels(entry)]
    return [
        Outgoing(topic, event.encode(), entry.task.encode(), event.headers(source))
        for topic, event in (*pairs, *letters)
        if event is not None
    ]
