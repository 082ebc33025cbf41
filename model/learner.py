"""Keeps tasks warm between rounds and runs their recipes against a store."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from model.announced import unannounced
from model.clean_start import clean_start, erased_since
from model.config import TaskConfig
from model.data import Log, Progress
from model.denied import DenyList
from model.due import refresh_due
from model.exporter import Exporter
from model.failure import failed_refresh, failed_windows
from model.feature_cache import FeatureCache
from model.findings import Findings
from model.forget import forget
from model.lineage import Lineage, no_lineage
from model.lineage_entry import LineageEntry
from model.onnx_session import Device
from model.refresh import refresh
from model.release import Clock, Round, commit_round
from model.rollback import RollbackRefusedError, roll_back, version_to_restore
from model.state import TaskState
from model.stopwatch import Stopwatch
from model.store import Store
from model.traces import Traces
from model.update import WindowRecords, increment
from model.warm_states import WarmStates
from schemas.window import TrainingWindow


def wall_clock() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)


class Learner:
    """The warm side of learning: one state a task, base models and the exporter stay loaded.

    Before each round the tip is read again: where another worker has extended the lineage, the
    state is loaded anew.

    Args:
        store: where versions live.
        cache: folder of this machine for graph templates.
        features: folder for features while a refresh runs; None is one in `cache`.
        device: where models run.
        threads: of onnxruntime while it proves; 0 is its own choice.
        progress: told how far a round is.
        clock: now, aware.
    """

    def __init__(
        self,
        store: Store,
        *,
        cache: Path,
        device: Device,
        threads: int,
        progress: Progress,
        clock: Clock = wall_clock,
        features: Path | None = None,
    ) -> None:
        self._store = store
        self._progress = progress
        self._clock = clock
        self._exporter = Exporter(store, cache, threads=threads)
        self._feature_cache = FeatureCache(features or cache / "features")
        self._warm = WarmStates(store, device=device, progress=progress)

    def warm_up(self, config: TaskConfig) -> None:
        """Load the base model, run it once and export it: the first window need not wait."""
        encoder = self._warm.base_model(config.encoder)
        # Kernels are made ready for each shape that they meet first.
        encoder.features(["word " * length for length in range(1, 65)])
        self._exporter.prepare(encoder)

    def tip(self, task: str) -> LineageEntry | None:
        """The last entry of a task, from the store."""
        return Lineage(self._store, task).tip()

    def unannounced(self, task: str) -> list[LineageEntry]:
        """What may not be announced yet; see `model.announced.unannounced`."""
        lineage = Lineage(self._store, task)
        return unannounced(lineage, lineage.tip(self._warm.tip(task)))

    def erased_since(self, task: str, when: datetime) -> bool:
        """Whether an encoder was fitted anew without what is denied, after this moment."""
        lineage = Lineage(self._store, task)
        return erased_since(lineage, lineage.tip(), when)

    def increment(
        self,
        task: str,
        windows: Sequence[WindowRecords],
        config: TaskConfig,
        log: Log | None = None,
    ) -> LineageEntry:
        """Learn windows; see `model.update.increment`.

        Where the entry is a rollback, the windows are still to be learned: call it again. `log`
        serves such a rollback.
        """
        lineage, state = Lineage(self._store, task), self.state(task, config)
        done = increment(
            state,
            windows,
            config=config,
            lineage=lineage,
            exporter=self._exporter,
            progress=self._progress,
            clock=self._clock,
            log=log,
        )
        return self._keep(task, done)

    def due(self, task: str, config: TaskConfig) -> str | None:
        """Why the task's encoder should be refreshed now, or None."""
        return refresh_due(self.state(task, config), config, now=self._clock())

    def unaccounted(
        self, task: str, windows: Sequence[TrainingWindow], config: TaskConfig
    ) -> list[TrainingWindow]:
        """The windows of which the lineage does not account for every record yet."""
        state = self.state(task, config)
        through = state.tip.trained_through if state.tip else {}
        return [w for w in windows if w.span.end > through.get(w.span.place, 0)]

    def refresh(
        self, task: str, why: str, log: Log, config: TaskConfig, *, erases: bool = False
    ) -> LineageEntry:
        """Refresh the encoder; see `model.refresh.refresh`.

        With `erases`, from an encoder that was never tuned on what is denied, where the champion's
        may have been.
        """
        lineage, state = Lineage(self._store, task), self.state(task, config)
        clean = clean_start(lineage, state.tip) if erases else None
        done = refresh(
            state,
            why=why,
            log=log,
            config=config,
            lineage=lineage,
            exporter=self._exporter,
            cache=self._feature_cache,
            progress=self._progress,
            clock=self._clock,
            start=self._warm.ancestor(clean, config) if clean else None,
        )
        return self._keep(task, done)

    def owes_refresh(self, task: str, config: TaskConfig, *, also: Collection[int] = ()) -> bool:
        """Whether the task's encoder may have been tuned on what is denied; see `clean_start`."""
        tip = self.state(task, config).tip
        return clean_start(Lineage(self._store, task), tip, also=also) is not None

    def forget(
        self,
        task: str,
        denied: DenyList,
        config: TaskConfig,
        *,
        who: str,
        why: str,
        unseen: bool = False,
        dry_run: bool = False,
    ) -> tuple[Traces, LineageEntry | None]:
        """Forget records and never learn them again; see `model.forget.forget`."""
        lineage, state = Lineage(self._store, task), self.state(task, config)
        traces, done = forget(
            state,
            denied,
            who=who,
            why=why,
            unseen=unseen,
            dry_run=dry_run,
            config=config,
            lineage=lineage,
            exporter=self._exporter,
            clock=self._clock,
        )
        return traces, self._keep(task, done) if done else None

    def rollback(
        self,
        task: str,
        version: int | None,
        config: TaskConfig,
        *,
        who: str,
        why: str,
        log: Log | None = None,
        give_up: bool = True,
    ) -> LineageEntry:
        """Let an older version serve again; see `model.rollback`."""
        lineage, state = Lineage(self._store, task), self.state(task, config)
        if state.tip is None:
            raise RollbackRefusedError(no_lineage(self._store, task))
        to = version_to_restore(lineage, state.tip, version)
        if to.encoder is None:
            raise RollbackRefusedError(f"version {to.sequence} of {task} names no encoder")
        done = roll_back(
            state,
            to=to,
            encoder=self._warm.stored_encoder(to.encoder, config),
            who=who,
            why=why,
            log=log,
            give_up=give_up,
            config=config,
            lineage=lineage,
            exporter=self._exporter,
            clock=self._clock,
        )
        return self._keep(task, done)

    def fail(
        self,
        task: str,
        windows: Sequence[TrainingWindow],
        reason: str,
        config: TaskConfig,
        *,
        ends: Mapping[str, int] | None = None,
    ) -> LineageEntry:
        """Write down that windows cannot be learned; nothing else of the state changes.

        `ends` is where the log ends; see `model.failure`.
        """
        state = self.state(task, config)
        found = failed_windows(state, windows, reason, config, ends=ends)
        return self._written_down(task, state, found)

    def fail_refresh(self, task: str, reason: str, config: TaskConfig) -> LineageEntry:
        """Write down that a refresh did not come about, so that the next is due in its own time."""
        state = self.state(task, config)
        return self._written_down(task, state, failed_refresh(state, reason, config))

    def state(self, task: str, config: TaskConfig) -> TaskState:
        """The task's state after its tip; loaded where another worker has moved the tip."""
        return self._warm.state(task, config)

    def _written_down(self, task: str, state: TaskState, findings: Findings) -> LineageEntry:
        """Commit a round that changes nothing but the lineage."""
        done = commit_round(
            state,
            state,
            findings,
            lineage=Lineage(self._store, task),
            exporter=self._exporter,
            watch=Stopwatch(),
            clock=self._clock,
        )
        return self._keep(task, done)

    def _keep(self, task: str, done: Round) -> LineageEntry:
        self._warm.hold(task, done.state)
        return done.entry
