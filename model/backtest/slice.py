"""A part of a stream that is scored by itself."""

from dataclasses import dataclass

from schemas.labeled_text import LabeledText


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the stream that is scored by itself: a file, a value of a field, a stretch of time.

    The texts in `test` are never learned.
    """

    name: str
    train: tuple[LabeledText, ...]
    """In stream order."""
    test: tuple[LabeledText, ...]
