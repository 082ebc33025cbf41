"""A window that cannot be learned accounts for its records, and for none that is not there yet."""

from pathlib import Path

import pytest

from schemas.evaluation import Outcome
from tests.model.loop import TASK, TOPIC, Loop, a_window, stream

PLACE = f"{TOPIC}/0"


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


@pytest.mark.parametrize("ends", [None, {}, {PLACE: 60}, {PLACE: 900}])
def test_its_span_is_accounted_for(loop: Loop, ends: dict[str, int] | None) -> None:
    window = a_window(stream(60)).window

    entry = loop.learner.fail(TASK, [window], "it is bad", loop.config, ends=ends)

    assert (entry.outcome, entry.evaluation.counts.skipped) == (Outcome.FAILED, 60)
    assert entry.trained_through == {PLACE: 60}


def test_what_will_stand_behind_the_end_of_the_log_is_yet_to_be_learned(loop: Loop) -> None:
    records = stream(60)

    entry = loop.learner.fail(
        TASK, [a_window(records).window], "the log is shorter", loop.config, ends={PLACE: 20}
    )

    assert entry.trained_through == {PLACE: 20}
    counts = loop.learn(records[20:]).evaluation.counts
    assert (counts.learned + counts.held_out, counts.trimmed) == (40, 0)
