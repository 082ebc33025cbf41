from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.splits import normalise_text, split_of, text_hash

TEXTS = [f"headline number {index} of the day" for index in range(6000)]


@pytest.mark.parametrize(
    "repeat",
    ["Profit  ROSE\t5%\n", "profit rose 5%", "  PROFIT rose\u00a05%", "\uff50rofit rose 5\uff05"],
)
def test_repeats_of_a_text_fall_on_one_side(repeat: str) -> None:
    assert normalise_text(repeat) == "profit rose 5%"
    assert text_hash(repeat) == text_hash("Profit rose 5%")


def test_another_number_is_another_text() -> None:
    assert text_hash("profit rose 5%") != text_hash("profit rose 7%")


@given(st.text(alphabet=st.characters()))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert len(text_hash(text)) == 32


@pytest.mark.parametrize("share", [0.1, 0.2, 0.6])
def test_the_share_is_held_out_half_to_select_and_half_to_judge(share: float) -> None:
    parts = Counter(split_of(text, salt="freshet", share=share) for text in TEXTS)
    for part in ("select", "judge"):
        assert parts[part] / len(TEXTS) == pytest.approx(share / 2, abs=0.02)


def test_the_salt_makes_another_split() -> None:
    held = [{t for t in TEXTS if split_of(t, salt=s, share=0.2) != "learn"} for s in ("a", "b")]
    assert len(held[0] & held[1]) / len(TEXTS) == pytest.approx(0.04, abs=0.01)
    assert split_of("a text", salt="k" * 1000, share=0.2) in {"learn", "select", "judge"}


def test_no_share_learns_all_and_a_larger_one_holds_out_more() -> None:
    assert all(split_of(text, salt="s", share=0.0) == "learn" for text in TEXTS[:500])
    small = {t for t in TEXTS if split_of(t, salt="s", share=0.1) != "learn"}
    large = {t for t in TEXTS if split_of(t, salt="s", share=0.3) != "learn"}
    assert small < large


def test_the_split_is_frozen() -> None:
    # A change here moves records of existing tasks from the holdout into training.
    assert text_hash("Freshet") == "8cab8e4906cf83aa958144ab9bea80ab"
    placed = [split_of(f"text {index}", salt="freshet", share=0.5) for index in range(8)]
    assert placed == ["learn", "select", "select", "learn", "judge", "learn", "judge", "learn"]
