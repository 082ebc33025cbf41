"""When a refresh is due, and what it says about why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.data import Record
from model.due import refresh_due
from model.plan import Plan
from model.splits import split_of
from model.state import TaskState
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, TASK, TIME, Loop, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)


def learned(loop: Loop, count: int) -> TaskState:
    """The state after so many records, in windows of 60."""
    for start in range(0, count, 60):
        loop.learn(stream(60, start=start))
    return loop.state()


def with_tip(state: TaskState, **changes: Any) -> TaskState:
    assert state.tip is not None
    return replace(state, tip=state.tip.model_copy(update=changes))


def test_feedback_stretches_the_records_between_two_refreshes(loop: Loop) -> None:
    state = with_tip(learned(loop, 180), refreshed_at=20, plan=Plan(refresh_interval=2.0))

    assert refresh_due(with_tip(state, records_seen=319), loop.config, now=TIME) is None
    assert (
        refresh_due(with_tip(state, records_seen=320), loop.config, now=TIME)
        == "300 records since the last refresh (2 times the configured interval)"
    )


def test_a_refresh_plans_the_next_one_and_a_restart_keeps_the_plan(loop: Loop) -> None:
    learned(loop, 180)

    entry = loop.refresh(stream(180))
    later = loop.learn(stream(60, start=180))

    assert entry.plan is not None
    assert entry.plan.promoted_refreshes == 1
    assert entry.plan.changes[0].reason.startswith("the first encoder of its own")
    assert entry.evaluation.metrics["fit_sample_steps"] > 0
    tip = loop.state(loop.new_learner()).tip
    assert tip is not None
    assert tip.plan == later.plan == entry.plan


def test_a_task_whose_rounds_were_all_rejected_is_refreshed_on_what_was_rejected(
    loop: Loop,
) -> None:
    split = loop.config.holdout
    parts: dict[str, list[Record]] = {"learn": [], "select": [], "judge": []}
    for record in stream(300):
        parts[split_of(record.text, salt=split.salt, share=split.share)].append(record)
    rejected = [loop.learn(parts["learn"][start : start + 60]) for start in (0, 60, 120)]
    held_out = [replace(r, offset=300 + n) for n, r in enumerate(parts["judge"])]
    loop.learn(held_out)

    why = loop.learner.due(TASK, loop.config)
    entry = loop.refresh([*parts["learn"][:180], *held_out])

    assert {round_.outcome for round_ in rejected} == {Outcome.REJECTED}
    assert why is not None
    assert why.startswith("no encoder of its own after")
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.set_apart == ()
    assert loop.state().statistics.num_records == 180


def test_a_refused_refresh_waits_twice_as_long(loop: Loop) -> None:
    learned(loop, 180)

    entry = loop.learner.fail_refresh(TASK, "ParityError: they disagree", loop.config)

    assert entry.outcome is Outcome.FAILED
    assert entry.plan is not None
    assert entry.plan.refresh_interval == 2
