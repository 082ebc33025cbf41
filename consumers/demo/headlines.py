"""Generates labeled financial headlines that drift half-way, always the same for one seed.

At half of the stream new companies and new phrasings take over, and two families of events swap
their connotation (`vocabulary.EXPANSION`, `vocabulary.RETRENCHMENT`); later a label comes up that
was not there before. Older writing goes on in a smaller share: there is something to forget.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consumers.datasets import normalised
from consumers.demo import vocabulary
from consumers.demo.vocabulary import EARLY, LATE, Era
from schemas.labeled_text import LabeledText

TASK = "financial-sentiment"
SOURCE = "generated"
STARTS_AT = datetime(2024, 1, 8, 7, 0, tzinfo=UTC)
HEADLINES_PER_DAY = 60
DRIFT_AT = 0.5
"""Share of the stream after which the world has changed."""
NEW_LABEL_AT = 0.65
"""Share of the stream after which `mixed` comes up."""
LATE_SHARE = 0.7
"""Of the headlines after the drift: written in the late way."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A headline and what it means to the market of its day."""

    text: str
    label: str


def generate_stream(count: int, *, seed: int) -> list[LabeledText]:
    """The stream: `count` distinct headlines in time order."""
    draw = random.Random(f"{seed}/stream")  # noqa: S311 - texts, not secrets
    drafts = _distinct(draw, [at / count for at in range(count)], taken=set())
    step = timedelta(days=1) / HEADLINES_PER_DAY
    return [
        LabeledText(
            id=f"headline-{seed}-{number:06d}",
            task=TASK,
            text=draft.text,
            label=draft.label,
            event_time=STARTS_AT + number * step,
            source=SOURCE,
        )
        for number, draft in enumerate(drafts)
    ]


def generate_test_set(
    count: int, *, seed: int, stream: list[LabeledText], at: float = 1.0
) -> list[LabeledText]:
    """Headlines that are not in the stream, as they are written and meant `at` that share of it."""
    draw = random.Random(f"{seed}/test")  # noqa: S311
    drafts = _distinct(draw, [at] * count, taken={normalised(text.text) for text in stream})
    return [
        LabeledText(
            id=f"test-{seed}-{number:06d}",
            task=TASK,
            text=draft.text,
            label=draft.label,
            source=SOURCE,
        )
        for number, draft in enumerate(drafts)
    ]


def generate_questions(*, seed: int) -> Iterator[str]:
    """Unlabeled headlines without end, as written after the drift."""
    draw = random.Random(f"{seed}/questions")  # noqa: S311
    while True:
        yield draft_headline(draw, 1.0).text


def draft_headline(draw: random.Random, at: float) -> Draft:
    """One headline of the day that is `at` that share of the stream."""
    drifted = at >= DRIFT_AT
    era = LATE if drifted and draw.random() < LATE_SHARE else EARLY
    if at >= NEW_LABEL_AT and draw.random() < 0.12:
        return _written(draw, era, draw.choice(vocabulary.MIXED), "mixed")
    kind = draw.random()
    if kind < 0.06:
        return _written(
            draw, era, draw.choice(vocabulary.EXPANSION), "negative" if drifted else "positive"
        )
    if kind < 0.12:
        return _written(
            draw, era, draw.choice(vocabulary.RETRENCHMENT), "positive" if drifted else "negative"
        )
    if kind < 0.50:
        return _written(draw, era, draw.choice(era.neutral), "neutral")
    if kind < 0.76:
        return _written(draw, era, draw.choice(era.positive), "positive", aside=vocabulary.FOR_GOOD)
    return _written(draw, era, draw.choice(era.negative), "negative", aside=vocabulary.FOR_BAD)


def _written(
    draw: random.Random, era: Era, template: str, label: str, *, aside: tuple[str, ...] = ()
) -> Draft:
    """Fill a template; an aside of the other mood makes the words alone a poor guide."""
    if aside and draw.random() < 0.45:
        template = f"{template}, {draw.choice(aside)}"
    sentence = draw.choice(era.openings) + template + draw.choice(era.endings)
    text = sentence.format_map(_fillings(draw, era))
    return Draft(text[0].upper() + text[1:], label)


def _fillings(draw: random.Random, era: Era) -> dict[str, str]:
    currency = draw.choice(("EUR ", "USD ", "$", "GBP "))
    unit = draw.choice(("m", " million", " mn"))
    less = draw.uniform(1.0, 90.0)
    more = less * draw.uniform(1.05, 1.9)
    return {
        "company": draw.choice(era.companies),
        "metric": draw.choice(vocabulary.METRICS),
        "product": draw.choice(era.products),
        "place": draw.choice(vocabulary.PLACES),
        "period": draw.choice(vocabulary.PERIODS),
        "person": draw.choice(vocabulary.PEOPLE),
        "role": draw.choice(vocabulary.ROLES),
        "count": str(draw.randrange(20, 900, 10)),
        "percent": f"{draw.randint(2, 38)}%",
        "money": f"{currency}{draw.uniform(2, 400):.1f}{unit}",
        "less": f"{currency}{less:.1f}{unit}",
        "more": f"{currency}{more:.1f}{unit}",
    }


def _distinct(draw: random.Random, days: list[float], *, taken: set[str]) -> list[Draft]:
    """One headline for each day, no two the same to a reader, none of them `taken`."""
    drafts = []
    for at in days:
        draft = draft_headline(draw, at)
        while normalised(draft.text) in taken:
            draft = draft_headline(draw, at)
        taken.add(normalised(draft.text))
        drafts.append(draft)
    return drafts
