import random
from collections import Counter
from itertools import islice, pairwise

import pytest

from consumers.datasets import normalised
from consumers.demo import vocabulary
from consumers.demo.headlines import (
    DRIFT_AT,
    NEW_LABEL_AT,
    draft_headline,
    generate_questions,
    generate_stream,
    generate_test_set,
)

STREAM = generate_stream(1000, seed=3)


def test_the_same_seed_writes_the_same_stream() -> None:
    assert generate_stream(1000, seed=3) == STREAM
    assert generate_stream(1000, seed=4) != STREAM


def test_ids_are_distinct_and_times_advance() -> None:
    times = [text.event_time for text in STREAM]
    assert len({text.id for text in STREAM}) == 1000
    assert all(a is not None and b is not None and a < b for a, b in pairwise(times))


def test_no_headline_repeats_and_the_test_set_shares_none() -> None:
    held_back = generate_test_set(300, seed=3, stream=STREAM)
    texts = [normalised(text.text) for text in (*STREAM, *held_back)]
    assert len(set(texts)) == 1300


def test_every_sentiment_has_its_share_and_the_new_label_comes_late() -> None:
    early = Counter(text.label for text in STREAM[: int(1000 * NEW_LABEL_AT)])
    late = Counter(text.label for text in STREAM[int(1000 * NEW_LABEL_AT) :])
    assert set(early) == {"negative", "neutral", "positive"}
    assert min(early.values()) > 100
    assert late["mixed"] >= 20


def test_new_companies_come_with_the_drift_and_old_ones_stay() -> None:
    half = int(1000 * DRIFT_AT)
    new = set(vocabulary.LATE.companies)
    old = set(vocabulary.EARLY.companies)
    before = " ".join(text.text for text in STREAM[:half])
    after = " ".join(text.text for text in STREAM[half:])
    assert not any(name in before for name in new)
    assert all(name in after for name in new)
    assert any(name in after for name in old)


@pytest.mark.parametrize(
    ("mark", "before", "after"),
    [("breaks ground", "positive", "negative"), ("winds down its", "negative", "positive")],
)
def test_a_connotation_flips_with_the_drift(mark: str, before: str, after: str) -> None:
    draw = random.Random(0)  # noqa: S311

    def labels(at: float) -> set[str]:
        drafts = (draft_headline(draw, at) for _ in range(3000))
        return {draft.label for draft in drafts if mark in draft.text}

    assert labels(0.1) == {before}
    assert labels(0.9) == {after}


def test_every_brace_is_filled() -> None:
    assert not any("{" in text.text or "}" in text.text for text in STREAM)


def test_questions_never_end() -> None:
    assert len(set(islice(generate_questions(seed=0), 100))) > 90
