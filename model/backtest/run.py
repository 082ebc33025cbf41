"""Learns a stream under one plan, as the training role would have, and scores it slice by slice."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from model.artifacts import ArtifactStore
from model.backtest.effort import Tally, WatchMemory
from model.backtest.exam import Exam
from model.backtest.plans import BacktestPlan
from model.backtest.report import PlanReport, RoundReport, WindowReport
from model.backtest.stream import Stream
from model.data import Progress
from model.errors import RejectError
from model.learner import Learner
from model.lineage_entry import LineageEntry
from model.onnx_session import Device
from model.transfer import (
    average_accuracy,
    backward_transfer,
    forgetting,
    forward_transfer,
)
from model.update import WindowRecords

MOST_STORED_ENCODERS = 10
"""Encoders that stay on disk, 180 MB each for MiniLM: more than the gate's watch goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where plans run."""

    cache: Path
    """Folder for graph templates, which outlives the run."""
    device: Device = "auto"
    threads: int = 0
    """Of onnxruntime; 0 is its own choice."""


def run_plan(
    plan: BacktestPlan,
    stream: Stream,
    exam: Exam,
    *,
    machine: Machine,
    watch_memory: WatchMemory,
    told: Progress,
) -> PlanReport:
    """Learn the stream window by window in a store of its own, which is removed afterwards.

    1. Learn a window; refresh the encoder where that is due; what fails is written down.
    2. Behind each slice's last record score what serves on every slice's test set.

    A window may reach over the end of a slice: the slice is scored once that window is learned.
    """
    tally = Tally(told)
    ends, windows = stream.ends(), list[WindowReport]()
    matrix: list[list[float]] = []
    with tempfile.TemporaryDirectory(prefix="freshet-backtest-") as folder:
        learner = Learner(
            ArtifactStore(folder),
            cache=machine.cache,
            device=machine.device,
            threads=machine.threads,
            progress=tally,
        )
        learner.warm_up(plan.config)
        role = _Role(learner, plan, stream, tally, watch_memory)
        for window in stream.windows(plan.config.window.records):
            done = role.learn(window)  # 1.
            _remove_old_encoders(Path(folder) / "encoders")
            windows.append(done)
            told("window", **done.model_dump(exclude={"rounds"}))
            while len(matrix) < len(ends) and ends[len(matrix)] <= done.records:  # 2.
                state = learner.state(stream.task, plan.config)
                right = exam.right(state.encoder, state.head, state.labels)
                matrix.append([sum(flags) / len(flags) for flags in right])
    return PlanReport(
        average_accuracy=average_accuracy(matrix),
        forgetting=forgetting(matrix),
        backward_transfer=backward_transfer(matrix),
        forward_transfer=forward_transfer(matrix, [0.0] * len(ends)),
        accuracy_matrix=matrix,
        accuracy_before=[0.0] * len(ends),
        prequential=[window.prequential for window in windows],
        seconds=sum(window.seconds for window in windows),
        sample_steps=sum(window.sample_steps for window in windows),
        forward_passes=tally.forward_passes,
        peak_memory_bytes=max(window.peak_memory_bytes for window in windows),
        windows=windows,
        test_right=[list(flags) for flags in right],
        config=plan.config.model_dump(mode="json"),
    )


@dataclass(frozen=True, slots=True)
class _Role:
    """Does what the training role does with a window."""

    learner: Learner
    plan: BacktestPlan
    stream: Stream
    tally: Tally
    watch_memory: WatchMemory

    def learn(self, window: WindowRecords) -> WindowReport:
        """An increment, behind a rollback where the watch calls for one, and a refresh when due."""
        passes, began = self.tally.forward_passes, time.perf_counter()
        with self.watch_memory() as memory:
            rounds = [self._increment(window)]
            while rounds[-1].kind == "rollback":
                rounds.append(self._increment(window))
            if why := self.learner.due(self.stream.task, self.plan.config):
                rounds.append(self._refresh(why))
        told = [entry.evaluation for entry in rounds]
        before = [each.prequential_accuracy for each in told]
        return WindowReport(
            records=window.window.span.end,
            prequential=next((value for value in before if value is not None), None),
            seconds=time.perf_counter() - began,
            peak_memory_bytes=memory.peak_bytes,
            sample_steps=sum(int(each.metrics.get("fit_sample_steps", 0)) for each in told),
            forward_passes=self.tally.forward_passes - passes,
            rounds=[_round(entry) for entry in rounds],
        )

    def _increment(self, window: WindowRecords) -> LineageEntry:
        task, config = self.stream.task, self.plan.config
        try:
            return self.learner.increment(task, [window], config, self.stream)
        except RejectError as error:
            return self.learner.fail(task, [window.window], _named(error), config)

    def _refresh(self, why: str) -> LineageEntry:
        task, config = self.stream.task, self.plan.config
        try:
            return self.learner.refresh(task, why, self.stream, config)
        except RejectError as error:
            return self.learner.fail_refresh(task, f"{why}: {_named(error)}", config)


def _named(error: RejectError) -> str:
    """As the training role writes it down: feedback tells by the class that a fit diverged."""
    return f"{type(error).__name__}: {error}"


def _round(entry: LineageEntry) -> RoundReport:
    return RoundReport(
        sequence=entry.sequence,
        kind=entry.kind,
        outcome=entry.outcome.value,
        reason=entry.evaluation.reason,
        seconds=entry.evaluation.seconds,
    )


def _remove_old_encoders(folder: Path) -> None:
    """A baseline makes one every window; on a long stream they would fill the disk."""
    if not folder.is_dir():
        return
    newest_last = sorted(folder.iterdir(), key=lambda held: held.stat().st_mtime_ns)
    for held in newest_last[:-MOST_STORED_ENCODERS]:
        shutil.rmtree(held)
