"""A stream learned under plans: real recipes on the tiny encoder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.backtest.effort import unwatched
from model.backtest.exam import Exam
from model.backtest.joint import run_joint
from model.backtest.plans import BacktestPlan, PlanOptions, named_plan
from model.backtest.report import PlanReport
from model.backtest.run import Machine, run_plan
from model.backtest.stream import Stream, stream_of
from model.config import (
    EncoderConfig,
    FeedbackConfig,
    FitConfig,
    HoldoutConfig,
    RefreshConfig,
    TaskConfig,
)
from model.data import Record
from model.errors import NotFiniteError
from model.learner import Learner
from schemas.base import Span
from tests.model.backtest.streams import TASK, a_slice, two_slices
from tests.model.loop import Loop
from tests.model.tiny import DEVICE

MEASURED = {"seconds", "peak_memory_bytes", "windows"}
"""What no two runs share."""


@pytest.fixture
def config(tiny_encoder_folder: Path) -> TaskConfig:
    return TaskConfig(
        encoder=EncoderConfig(base_model=str(tiny_encoder_folder)),
        refresh=RefreshConfig(first_after_records=150, every_records=150, min_records_per_label=5),
        fit=FitConfig(epochs=1, learning_rate=1e-3),
        holdout=HoldoutConfig(share=0.3),
        duplicate_horizon_records=1000,
    )


@pytest.fixture
def machine(tiny_encoder_folder: Path) -> Machine:
    return Machine(cache=tiny_encoder_folder.parent / "templates", device=DEVICE, threads=1)


def quiet(stage: str, /, **fields: Any) -> None:
    pass


def learned(
    stream: Stream, config: TaskConfig, machine: Machine, *, name: str = "default"
) -> PlanReport:
    plan = named_plan(name, config, PlanOptions(window=60, memory=30))
    exam = Exam(stream.slices)
    return run_plan(plan, stream, exam, machine=machine, watch_memory=unwatched, told=quiet)


def test_a_backtest_learns_what_the_loop_learns_from_the_same_windows(
    tmp_path: Path, tiny_encoder_folder: Path, config: TaskConfig, machine: Machine
) -> None:
    stream = two_slices()
    report = learned(stream, config, machine)
    loop = Loop(tmp_path, tiny_encoder_folder)
    loop.config = report_config(report)
    for window in stream.windows(60):
        loop.learner.increment(TASK, [window], loop.config, stream)
        if why := loop.learner.due(TASK, loop.config):
            loop.learner.refresh(TASK, why, stream, loop.config)
    state = loop.learner.state(TASK, loop.config)
    right = Exam(stream.slices).right(state.encoder, state.head, state.labels)

    assert report.test_right == [list(flags) for flags in right]
    assert state.tip is not None
    rounds = [each for window in report.windows for each in window.rounds]
    assert len(rounds) == state.tip.sequence + 1
    assert "refresh" in {each.kind for each in rounds}


def report_config(report: PlanReport) -> TaskConfig:
    return TaskConfig.model_validate(report.config)


def test_the_report_holds_a_row_a_slice_and_a_prequential_accuracy_a_window(
    config: TaskConfig, machine: Machine
) -> None:
    report = learned(two_slices(), config, machine)

    assert [len(row) for row in report.accuracy_matrix] == [2, 2]
    assert report.accuracy_before == [0.0, 0.0]
    assert [window.records for window in report.windows] == [60, 120, 180, 240]
    assert report.prequential == [window.prequential for window in report.windows]
    assert report.prequential[0] is None
    assert report.prequential[1] is not None
    last = [sum(flags) / len(flags) for flags in report.test_right]
    assert report.accuracy_matrix[-1] == last
    assert report.average_accuracy == pytest.approx(sum(last) / 2)
    assert report.seconds == pytest.approx(sum(window.seconds for window in report.windows))


def test_cost_is_counted_in_records_that_go_through_the_encoder(
    config: TaskConfig, machine: Machine
) -> None:
    report = learned(two_slices(), config, machine)
    head = learned(two_slices(), config, machine, name="head")

    refreshed = [each for each in report.windows if len(each.rounds) == 2]
    assert len(refreshed) == 1
    assert report.sample_steps == refreshed[0].sample_steps > 0
    assert head.sample_steps == 0
    assert head.forward_passes == 240  # each record once, as it came
    assert report.forward_passes > 240


def test_the_same_seed_gives_the_same_report(config: TaskConfig, machine: Machine) -> None:
    reports = [learned(two_slices(), config, machine) for _ in range(2)]

    first, second = (report.model_dump(exclude=MEASURED) for report in reports)
    assert first == second


def test_test_texts_are_never_learned(config: TaskConfig, machine: Machine) -> None:
    """Labels of a test set that contradict the stream change its score and nothing else."""
    stream = two_slices()
    wrong = [
        replace(each, test=tuple(t.model_copy(update={"label": "other"}) for t in each.test))
        for each in stream.slices
    ]
    ids = {text.id for each in stream.slices for text in each.test}
    contradicted = stream_of(TASK, wrong, seed=0)

    as_it_is, against = (learned(each, config, machine) for each in (stream, contradicted))

    assert ids.isdisjoint(record.id for record in stream.records)
    assert against.prequential == as_it_is.prequential
    assert against.average_accuracy == 0.0


def test_a_slice_is_scored_behind_the_window_that_holds_its_last_record(
    config: TaskConfig, machine: Machine
) -> None:
    """Two slices that end in one window are scored at once: equal rows."""
    slices = [a_slice("a", train=65), a_slice("b", train=20, start=200)]
    slices.append(a_slice("c", train=60, start=400))
    report = learned(stream_of(TASK, slices, seed=0), config, machine)

    assert len(report.accuracy_matrix) == 3
    assert report.accuracy_matrix[0] == report.accuracy_matrix[1]


def test_before_anything_serves_nothing_is_right(config: TaskConfig) -> None:
    stream = two_slices()
    encoder = None

    right = Exam(stream.slices).right(encoder, None, ())  # type: ignore[arg-type]

    assert right == ((False,) * 12, (False,) * 12)


def test_a_window_that_cannot_be_learned_is_written_down_and_the_next_goes_on(
    config: TaskConfig, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise NotFiniteError("the test says so")

    monkeypatch.setattr(Learner, "increment", refused)
    stream = two_slices()
    plan = BacktestPlan("strict", config.model_copy(update={"window": _window(60)}))
    exam = Exam(stream.slices)

    report = run_plan(plan, stream, exam, machine=machine, watch_memory=unwatched, told=quiet)

    assert {each.outcome for window in report.windows for each in window.rounds} == {"failed"}
    assert report.average_accuracy == 0.0


def _window(records: int) -> Any:
    return TaskConfig().window.model_copy(update={"records": records})


def test_joint_training_sees_every_training_record_once_an_epoch(
    config: TaskConfig, machine: Machine
) -> None:
    stream = two_slices()
    twice = config.model_copy(update={"fit": FitConfig(epochs=8, learning_rate=3e-3)})
    plan = named_plan("default", twice, PlanOptions(window=60, memory=30))
    told: list[str] = []

    report = run_joint(
        plan,
        stream,
        Exam(stream.slices),
        device=DEVICE,
        watch_memory=unwatched,
        told=lambda stage, /, **_fields: told.append(stage),
    )

    assert report.sample_steps == 8 * 240
    assert len(report.accuracy_matrix) == 1
    assert report.forgetting == 0.0
    assert report.average_accuracy > 0.9
    assert "fitting" in told


def test_naive_fits_every_window_on_that_window_alone(config: TaskConfig, machine: Machine) -> None:
    report = learned(two_slices(), config, machine, name="naive")

    kinds = [[each.kind for each in window.rounds] for window in report.windows]
    assert kinds == [["increment", "refresh"]] * 4
    assert all(0 < window.sample_steps <= 60 for window in report.windows)


def test_without_the_log_a_refresh_reads_no_window_before_the_newest(
    config: TaskConfig, machine: Machine
) -> None:
    reads: list[int] = []

    class Watched(Stream):
        def read(self, task: str, span: Span, *, strict: bool) -> list[Record]:
            reads.append(span.start)
            return list(self.records[span.start : span.end])

    made = two_slices()
    stream = Watched(made.task, made.slices, made.records)
    often = config.model_copy(
        update={
            "refresh": config.refresh.model_copy(update={"every_records": 60}),
            "feedback": FeedbackConfig(enabled=False),  # which would save the second refresh
        }
    )
    options = PlanOptions(window=60, memory=30, no_log=True)
    plan = named_plan("default", often, options)

    run_plan(plan, stream, Exam(stream.slices), machine=machine, watch_memory=unwatched, told=quiet)

    assert reads == [120, 180]  # the first refresh is due after three windows
