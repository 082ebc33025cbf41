"""Known tiny streams: slices whose words tell their labels."""

from model.backtest.slice import Slice
from model.backtest.stream import Stream, stream_of
from schemas.labeled_text import LabeledText
from tests.model.tiny import LABELS, labeled_texts

TASK = "prices"


def a_slice(name: str, *, train: int, test: int = 12, start: int = 0) -> Slice:
    """A slice of records that no other `start` shares."""
    texts, labels = labeled_texts(start + train + test)
    made = [
        LabeledText(id=f"{name}-{index}", task=TASK, text=texts[index], label=LABELS[labels[index]])
        for index in range(start, start + train + test)
    ]
    return Slice(name, tuple(made[:train]), tuple(made[train:]))


def two_slices(*, seed: int = 0) -> Stream:
    """150 and 90 records, tested on 12 each."""
    first, second = a_slice("first", train=150), a_slice("second", train=90, start=300)
    return stream_of(TASK, [first, second], seed=seed)
