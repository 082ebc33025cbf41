"""When a refresh is due, and what it says about why."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from model.config import RefreshConfig
from model.data import Record
from model.due import can_refresh, refresh_due
from model.lineage_entry import command_stands
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


def test_the_first_waits_for_as_many_records_again_while_labels_still_come(loop: Loop) -> None:
    def window(start: int, *, labels: tuple[str, ...]) -> list[Record]:
        records = stream(60, start=start)
        return [replace(r, label=labels[n % len(labels)]) for n, r in enumerate(records)]

    def due(state: TaskState) -> str | None:
        return refresh_due(state, loop.config, now=TIME)

    loop.learn(window(0, labels=("up", "down")))
    loop.learn(window(60, labels=("up", "down")))
    loop.learn(window(120, labels=("up", "flat")))
    growing = loop.state()
    assert growing.records_seen >= loop.config.refresh.first_after_records
    assert due(growing) is None
    assert due(with_tip(growing, records_seen=300)) == "no encoder of its own after 300 records"

    loop.learn(window(180, labels=("flat", "down")))

    assert due(loop.state(loop.new_learner())) is not None, "no label is new any more"


def test_labels_that_all_came_at_once_are_not_waited_for(loop: Loop) -> None:
    loop.learn(stream(180))

    assert refresh_due(loop.state(), loop.config, now=TIME) is not None


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
    assert entry.plan.spent_sample_steps == entry.evaluation.metrics["fit_sample_steps"] > 0
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


def test_a_scheduled_refresh_is_due_so_long_after_the_last_where_records_came_since(
    loop: Loop,
) -> None:
    learned(loop, 180)
    refresh = loop.config.refresh.model_copy(update={"schedule_seconds": 3600.0})
    loop.config = loop.config.model_copy(update={"refresh": refresh})
    last = loop.refresh(stream(180)).refreshed_on
    assert last is not None
    early, late = last + timedelta(seconds=3599), last + timedelta(seconds=3600)

    assert refresh_due(loop.state(), loop.config, now=late) is None, "nothing came since"
    state = learned_more(loop, start=180)
    tip = state.tip
    assert tip is not None
    assert tip.trial is not None
    assert refresh_due(state, loop.config, now=late) is None, "it would end the trial"
    state = replace(state, tip=tip.model_copy(update={"trial": None}))

    assert refresh_due(state, loop.config, now=early) is None
    assert (
        refresh_due(state, loop.config, now=late) == "3600 s since the last refresh, as scheduled"
    )
    unscheduled = loop.config.model_copy(update={"refresh": RefreshConfig()})
    assert refresh_due(state, unscheduled, now=late) is None


def test_a_budget_in_seconds_bounds_the_fit_at_the_speed_of_the_last(loop: Loop) -> None:
    learned(loop, 180)
    refresh = loop.config.refresh.model_copy(update={"budget_seconds": 2.0})
    loop.config = loop.config.model_copy(update={"refresh": refresh})

    first = loop.refresh(stream(180))
    assert first.plan is not None
    assert first.plan.fit_speed is not None
    assert first.evaluation.metrics["fit_records"] > 40, "no speed was known, so nothing was cut"
    slow = Plan(promoted_refreshes=1, fit_speed=20.0)
    loop.learner._warm.hold(TASK, with_tip(loop.state(), plan=slow))
    second = loop.refresh(stream(180))

    # 2 s at 20 sample-steps a second: 20 new records and 20 older ones, once each.
    assert second.evaluation.metrics["fit_sample_steps"] == 40


def test_a_command_stands_until_any_refresh_has_ended_after_it(loop: Loop) -> None:
    state = learned(loop, 60)
    assert can_refresh(state)
    assert command_stands(state.tip, given_at=TIME)

    entry = loop.learner.fail_refresh(TASK, "ParityError: they disagree", loop.config)

    assert entry.refreshed_on is not None
    assert not command_stands(entry, given_at=entry.refreshed_on)
    assert command_stands(entry, given_at=entry.refreshed_on + timedelta(milliseconds=1))
    later = learned_more(loop, start=60).tip
    assert not command_stands(later, given_at=entry.refreshed_on - timedelta(seconds=1))


def test_a_task_of_one_label_has_nothing_to_refresh_on(loop: Loop) -> None:
    assert not can_refresh(loop.state())

    loop.learn([replace(record, label="up") for record in stream(60)])

    assert not can_refresh(loop.state())


def learned_more(loop: Loop, *, start: int) -> TaskState:
    """The state after one more window."""
    loop.learn(stream(60, start=start))
    return loop.state()
