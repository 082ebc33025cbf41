"""What stays in memory between rounds: the states used last, and base models."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from model.clean_start import CleanStart
from model.config import EncoderConfig, TaskConfig
from model.data import Progress
from model.denied import deny_list
from model.encoder import Encoder
from model.errors import ArtifactRefusedError
from model.lineage import Lineage
from model.lineage_entry import EncoderRef, LineageEntry
from model.onnx_session import Device
from model.state import TaskState, fresh_state, load_state
from model.store import Store

MOST_WARM_TASKS = 16
"""Tasks whose states stay in memory; another one is read back from the store when it is due."""


class WarmStates:
    """The states of tasks, each after its tip.

    Args:
        store: where they are read from.
        device: where encoders run.
        progress: told where an encoder is gone.
    """

    def __init__(self, store: Store, *, device: Device, progress: Progress) -> None:
        self._store, self._device, self._progress = store, device, progress
        self._states: dict[str, TaskState] = {}
        self._base_models: dict[EncoderConfig, Encoder] = {}

    def tip(self, task: str) -> LineageEntry | None:
        """The last entry of a task as far as it is known here; the store may hold later ones."""
        held = self._states.get(task)
        return held.tip if held else None

    def state(self, task: str, config: TaskConfig) -> TaskState:
        """The task's state after its tip; loaded where another worker has moved the tip."""
        lineage = Lineage(self._store, task)
        held = self._states.get(task)
        tip = lineage.tip(held.tip if held else None)
        if held is None or tip is not held.tip:
            held = self._load(lineage, tip, config)
        return self.hold(task, held)

    def hold(self, task: str, state: TaskState) -> TaskState:
        """Keep the states used last: each has features, and may have an encoder of its own."""
        self._states.pop(task, None)
        self._states[task] = state
        while len(self._states) > MOST_WARM_TASKS:
            del self._states[next(iter(self._states))]
        return state

    def base_model(self, config: EncoderConfig) -> Encoder:
        """The encoder that a task begins with; loaded once."""
        if config not in self._base_models:
            self._base_models[config] = Encoder.load(
                config.base_model, config=config, device=self._device
            )
        return self._base_models[config]

    def stored_encoder(self, ref: EncoderRef, config: TaskConfig) -> Encoder:
        """An encoder that an entry names: one that is in memory, or from the store."""
        for encoder in (*_encoders(self._states.values()), *self._base_models.values()):
            if encoder.digest == ref.digest:
                return encoder
        files = {name: self._store.fetch(artifact) for name, artifact in ref.files.items()}
        return Encoder.from_files(files, config=config.encoder, device=self._device)

    def ancestor(self, clean: CleanStart, config: TaskConfig) -> Encoder:
        """The encoder of a clean start, or the base model where its files are gone."""
        try:
            if clean.encoder is not None:
                return self.stored_encoder(clean.encoder, config)
        except ArtifactRefusedError as error:
            self._progress("ancestor_gone", reason=str(error))
        return self.base_model(config.encoder)

    def _load(self, lineage: Lineage, tip: LineageEntry | None, config: TaskConfig) -> TaskState:
        if tip is None or tip.encoder is None:
            fresh = fresh_state(self.base_model(config.encoder), config, tip)
            return replace(fresh, denied=deny_list(lineage, tip))
        return load_state(
            lineage,
            tip,
            self.stored_encoder(tip.encoder, config),
            config,
            encoder_of=lambda ref: self.stored_encoder(ref, config),
        )


def _encoders(states: Iterable[TaskState]) -> Iterator[Encoder]:
    for state in states:
        yield state.encoder
        if state.probation is not None:
            yield state.probation.encoder
        if state.trial is not None:
            yield state.trial.encoder
