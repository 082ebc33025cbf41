"""Keeps tasks warm between rounds and runs their recipes against a store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from model.announced import unannounced
from model.clean_start import CleanStart, clean_start, erased_since
from model.config import EncoderConfig, TaskConfig
from model.data import Log, Progress
from model.denied import DenyList, deny_list
from model.due import refresh_due
from model.encoder import Encoder
from model.errors import ArtifactRefusedError
from model.exporter import Exporter
from model.failure import failed_refresh, failed_windows
from model.feature_cache import FeatureCache
from model.findings import Findings
from model.forget import forget
from model.lineage import EncoderRef, Lineage, LineageEntry, no_lineage
from model.onnx_session import Device
from model.refresh import refresh
from model.release import Clock, Round, commit_round
from model.rollback import RollbackRefusedError, roll_back, version_to_restore
from model.state import TaskState, fresh_state, load_state
from model.stopwatch import Stopwatch
from model.store import Store
from model.traces import Traces
from model.update import WindowRecords, increment
from schemas.window import TrainingWindow


def wall_clock() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)


MOST_WARM_TASKS = 16
"""Tasks whose states stay in memory; another one is read back from the store when it is due."""


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
        self._device = device
        self._progress = progress
        self._clock = clock
        self._exporter = Exporter(store, cache, threads=threads)
        self._feature_cache = FeatureCache(features or cache / "features")
        self._states: dict[str, TaskState] = {}
        self._base_models: dict[EncoderConfig, Encoder] = {}

    def warm_up(self, config: TaskConfig) -> None:
        """Load the base model, run it once and export it: the first window need not wait."""
        encoder = self._base_model(config.encoder)
        # Kernels are made ready for each shape that they meet first.
        encoder.features(["word " * length for length in range(1, 65)])
        self._exporter.prepare(encoder)

    def tip(self, task: str) -> LineageEntry | None:
        """The last entry of a task, from the store."""
        return Lineage(self._store, task).tip()

    def unannounced(self, task: str) -> list[LineageEntry]:
        """What may not be announced yet; see `model.announced.unannounced`."""
        lineage, held = Lineage(self._store, task), self._states.get(task)
        return unannounced(lineage, lineage.tip(held.tip if held else None))

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
            start=self._ancestor(clean, config) if clean else None,
        )
        return self._keep(task, done)

    def owes_refresh(self, task: str, config: TaskConfig) -> bool:
        """Whether the task's encoder may have been tuned on what is denied."""
        return clean_start(Lineage(self._store, task), self.state(task, config).tip) is not None

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
            encoder=self._stored_encoder(to.encoder, config),
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
        self._hold(task, done.state)
        return done.entry

    def _hold(self, task: str, state: TaskState) -> TaskState:
        """Keep the states used last: each has features, and may have an encoder of its own."""
        self._states.pop(task, None)
        self._states[task] = state
        while len(self._states) > MOST_WARM_TASKS:
            del self._states[next(iter(self._states))]
        return state

    def state(self, task: str, config: TaskConfig) -> TaskState:
        """The task's state after its tip; loaded where another worker has moved the tip."""
        lineage = Lineage(self._store, task)
        held = self._states.get(task)
        tip = lineage.tip(held.tip if held else None)
        if held is None or tip is not held.tip:
            held = self._load(lineage, tip, config)
        return self._hold(task, held)

    def _load(self, lineage: Lineage, tip: LineageEntry | None, config: TaskConfig) -> TaskState:
        if tip is None or tip.encoder is None:
            fresh = fresh_state(self._base_model(config.encoder), config, tip)
            return replace(fresh, denied=deny_list(lineage, tip))
        return load_state(
            lineage,
            tip,
            self._stored_encoder(tip.encoder, config),
            config,
            encoder_of=lambda ref: self._stored_encoder(ref, config),
        )

    def _ancestor(self, clean: CleanStart, config: TaskConfig) -> Encoder:
        """Its encoder, or the base model where its files are gone."""
        try:
            if clean.encoder is not None:
                return self._stored_encoder(clean.encoder, config)
        except ArtifactRefusedError as error:
            self._progress("ancestor_gone", reason=str(error))
        return self._base_model(config.encoder)

    def _stored_encoder(self, ref: EncoderRef, config: TaskConfig) -> Encoder:
        for encoder in (*_encoders(self._states.values()), *self._base_models.values()):
            if encoder.digest == ref.digest:
                return encoder
        files = {name: self._store.fetch(artifact) for name, artifact in ref.files.items()}
        return Encoder.from_files(files, config=config.encoder, device=self._device)

    def _base_model(self, config: EncoderConfig) -> Encoder:
        if config not in self._base_models:
            self._base_models[config] = Encoder.load(
                config.base_model, config=config, device=self._device
            )
        return self._base_models[config]


def _encoders(states: Iterable[TaskState]) -> Iterator[Encoder]:
    for state in states:
        yield state.encoder
        if state.probation is not None:
            yield state.probation.encoder
        if state.trial is not None:
            yield state.trial.encoder
