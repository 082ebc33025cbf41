"""What helps a record that was refused, by the reason of its dead letter: one table."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about the letters of one reason.

    Attributes:
        advice: to a person.
        in_record: whether the record itself is wrong, whatever is set, so that the same bytes are
            refused whenever they are sent again.
    """

    advice: str
    in_record: bool = False


_BY_THE_PRODUCER = Remedy(
    "the record itself is wrong, so that a redrive brings it back: the producer must send a good "
    "one",
    in_record=True,
)

REMEDIES: Mapping[str, Remedy] = {
    "invalid_json": _BY_THE_PRODUCER,
    "invalid_schema": _BY_THE_PRODUCER,
    "empty_text": _BY_THE_PRODUCER,
    "record_too_large": Remedy(
        "raise FRESHET_MAX_RECORD_BYTES for every role, then redrive; or let the producer send a "
        "smaller one"
    ),
    "text_too_long": Remedy(
        "raise FRESHET_MAX_TEXT_CHARS for every role, then redrive; or let the producer send a "
        "shorter one"
    ),
    "label_too_long": Remedy(
        "raise FRESHET_MAX_LABEL_CHARS for every role, then redrive; one of over 200 characters "
        "comes back: the producer must send a shorter one"
    ),
    "unknown_task": Remedy(
        "add the task to the tasks file or unset strict_tasks, then redrive; where the name is "
        "misspelt, the producer must send it anew"
    ),
    "too_many_labels": Remedy(
        "raise max_labels or max_new_labels of the task, then redrive; or let the producer send "
        "another label"
    ),
    "no_model": Remedy(
        "redrive once a version of the task serves; where its name is misspelt, the producer must "
        "send it anew"
    ),
    "prediction_failed": Remedy("redrive once another version serves"),
    "window_failed": Remedy(
        "mend what failed, then redrive with the limits that the windows role has"
    ),
    "invalid_window": Remedy(
        "it is no window of this installation, so that a redrive brings it back: find who writes "
        "to the topic",
        in_record=True,
    ),
}
"""By reason; of one that is not here, the letter's detail is all that is known."""


def with_advice(reason: str, fault: str) -> str:
    """A letter's detail: what was wrong, and what helps."""
    remedy = REMEDIES.get(reason)
    return fault if remedy is None else f"{fault}; {remedy.advice}"


def without_advice(reason: str, detail: str) -> str:
    """What was wrong, of such a detail."""
    remedy = REMEDIES.get(reason)
    return detail if remedy is None else detail.replace(f"; {remedy.advice}", "")


def comes_back(reason: str) -> bool:
    """Whether a redrive is in vain whatever was mended."""
    remedy = REMEDIES.get(reason)
    return remedy is not None and remedy.in_record
