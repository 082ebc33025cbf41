"""Each reason of a dead letter has what helps, and the two fates are told apart."""

import pytest

from consumers.dead_letter_log import Selection
from consumers.dead_letters import dead_letter_of
from consumers.inference.answers import NO_MODEL, PREDICTION_FAILED
from consumers.remedies import REMEDIES, comes_back, with_advice, without_advice
from consumers.training.refused_labels import TOO_MANY_LABELS
from tests.consumers.raw import raw
from tests.consumers.test_dead_letter_log import NOW, log_of


@pytest.mark.parametrize("reason", ["invalid_json", "invalid_schema", "empty_text"])
def test_a_record_that_is_wrong_itself_is_the_producers_to_mend(reason: str) -> None:
    assert comes_back(reason)
    assert "a redrive brings it back: the producer must send a good one" in with_advice(reason, "x")


@pytest.mark.parametrize(
    ("reason", "mend"),
    [
        ("text_too_long", "raise FRESHET_MAX_TEXT_CHARS"),
        ("label_too_long", "raise FRESHET_MAX_LABEL_CHARS"),
        ("record_too_large", "raise FRESHET_MAX_RECORD_BYTES"),
        ("unknown_task", "add the task to the tasks file"),
        (TOO_MANY_LABELS, "raise max_labels or max_new_labels"),
        ("window_failed", "mend what failed"),
        (NO_MODEL, "once a version of the task serves"),
        (PREDICTION_FAILED, "once another version serves"),
    ],
)
def test_what_a_setting_refused_is_redriven_once_that_is_mended(reason: str, mend: str) -> None:
    assert not comes_back(reason)
    assert mend in REMEDIES[reason].advice
    assert "redrive" in REMEDIES[reason].advice


def test_a_letter_says_what_was_wrong_and_what_helps() -> None:
    letter = dead_letter_of(raw(b"{"), reason="invalid_json", detail="line 1", now=NOW)

    assert letter.detail == f"line 1; {REMEDIES['invalid_json'].advice}"
    assert without_advice(letter.reason, letter.detail) == "line 1"
    [heading] = log_of([letter]).headings(Selection())
    assert heading.detail == "line 1"


def test_of_an_unknown_reason_the_detail_is_all() -> None:
    assert with_advice("new_reason", "x") == without_advice("new_reason", "x") == "x"
    assert not comes_back("new_reason")
