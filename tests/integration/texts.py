"""Texts whose words tell their labels, so that the tiny random encoder can learn them."""

from schemas.labeled_text import LabeledText, TextToClassify

TASK = "prices"
VERBS = {
    "up": ("rose", "grew", "jumped", "doubled"),
    "down": ("fell", "shrank", "sank", "halved"),
    "flat": ("stayed", "flat", "steady", "stayed"),
}
LABELS = tuple(VERBS)
"""All words are in the vocabulary of `tests.model.tiny`."""


def labeled(count: int, *, start: int = 0, task: str = TASK, ids: str = "id") -> list[LabeledText]:
    """Records `start` to `start + count` of an endless stream, in three labels."""
    numbers = range(start, start + count)
    return [
        LabeledText(id=f"{ids}-{n}", task=task, text=_text(n), label=_label(n)) for n in numbers
    ]


def relabeled(count: int, label: str, *, task: str = TASK) -> list[LabeledText]:
    """Texts with words of their own under a label of their own."""
    texts = [f"bread and boat for the bridge {n}" for n in range(count)]
    return [
        LabeledText(id=f"{label}-{n}", task=task, text=text, label=label)
        for n, text in enumerate(texts)
    ]


def questions(count: int, *, start: int = 0, task: str = TASK) -> list[TextToClassify]:
    """Texts that ask for a label, with ids `question-N`."""
    numbers = range(start, start + count)
    return [TextToClassify(id=f"question-{n}", task=task, text=_text(n)) for n in numbers]


def _label(number: int) -> str:
    return LABELS[number % len(LABELS)]


def _text(number: int) -> str:
    verbs = VERBS[_label(number)]
    first, second = verbs[number // 3 % 4], verbs[number // 12 % 4]
    return f"{first} {second} {first} {number}"
