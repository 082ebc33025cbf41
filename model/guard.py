"""The guard of what serves: predecessors answer beside it, and one that did better returns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from model.config import DriftConfig, MonitorConfig, TaskConfig
from model.data import Progress, Record
from model.drift import Change
from model.encoder import Encoder, Features
from model.monitor import Probation
from model.state import TaskState
from model.succession import holds_trials
from model.trial import Trial, Verdict

MOST_NEW_LABELS = 0.25
"""Share of a trial's records whose labels the predecessor never learned, up to which it counts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Which version should serve again, and why."""

    version: int
    encoder: Encoder
    why: str


@dataclass(frozen=True, slots=True)
class Guard:
    """The predecessors that answer, with these windows counted."""

    probation: Probation | None
    trial: Trial | None
    verdict: Verdict | None
    """How the trial has ended; None before its end."""

    @classmethod
    def over(
        cls,
        state: TaskState,
        records: Sequence[Record],
        features: Features,
        right: Sequence[bool],
        config: TaskConfig,
        *,
        progress: Progress,
    ) -> Self:
        """Count windows from which nothing was learned yet.

        Args:
            state: with what serves and its predecessors.
            records: the windows' (N).
            features: (N, D) under the serving encoder.
            right: (N,) whether what serves has each right.
            config: of the task; where it allows no trial any more, one under way is dropped.
            progress: told of texts that go through a predecessor's encoder too.
        """
        probation = state.probation
        trial = state.trial if holds_trials(config) else None
        texts = [record.text for record in records]
        under = {state.encoder.digest: features}
        for one in (probation, trial):
            if one is not None and one.encoder.digest not in under:
                progress("encoding", records=len(texts))
                under[one.encoder.digest] = one.encoder.features(texts)
        if probation is not None:
            theirs = under[probation.encoder.digest]
            probation = probation.after(records, theirs, right, state.labels)
        verdict = None
        if trial is not None:
            before, theirs = trial.num_records, under[trial.encoder.digest]
            trial = trial.after(records, theirs, features, state.labels)
            verdict = trial.verdict(config.monitor, before=before)
        return cls(probation, trial, verdict)

    def under(self, drift: Change | None, config: DriftConfig) -> Self:
        """With a trial that ends where the stream is another than it began on: that tells nothing.

        On another writer's records, say, both answer as strangers, and which of the two is better
        at that says little of which is the better to learn them under. So it is where many records
        have labels that the predecessor never learned, and where it errs as much more as what
        serves in a drift. The encoder stays, and its gain counts for nothing.

        Args:
            drift: that these windows brought to light.
            config: how large a rise of the error is one.
        """
        trial = self.trial
        if trial is None or not trial.num_records:
            return self
        seen = trial.gain
        unknown = 1 - seen.records / trial.num_records
        if unknown > MOST_NEW_LABELS:
            why = f"its predecessor never learned the labels of {unknown:.0%} of the records"
            return replace(self, verdict=trial.broken_off(why))
        error = seen.wrong / seen.records
        if drift and error - drift.before >= config.min_rise:
            why = f"the stream drifted, and its predecessor errs on {error:.0%} too"
            return replace(self, verdict=trial.broken_off(why))
        return self

    def fault(self, config: MonitorConfig) -> Fault | None:
        """What must happen. An encoder that failed its trial goes first: what came since stays."""
        if self.trial is not None and self.verdict is not None and self.verdict.fault is not None:
            return Fault(self.trial.version, self.trial.encoder, self.verdict.fault)
        if self.probation is not None and (why := self.probation.fault(config)) is not None:
            return Fault(self.probation.version, self.probation.encoder, why)
        return None

    def concluded(self, fault: Fault, serving: Encoder) -> Verdict | None:
        """How the trial ends where this fault is mended.

        A loss that is proven before its time ends it too. The encoder is to blame where it did
        worse than its predecessor so far; else what was learned under it is. Where the encoder
        stays its trial goes on, and counts these windows when they are learned.

        Args:
            fault: found by `fault`.
            serving: the encoder on trial.
        """
        if fault.encoder.digest == serving.digest:
            return None
        if self.verdict is not None or self.trial is None or self.trial.gain.net >= 0:
            return self.verdict
        return Verdict(self.trial.gain, fault.why, self.trial.plan)

    def refused(self) -> Self:
        """Where no predecessor can return: then what serves is what there is."""
        return replace(self, probation=None, trial=None)

    def kept(self, state: TaskState, config: MonitorConfig) -> TaskState:
        """A state with the predecessors that go on answering."""
        over = self.probation is None or self.probation.over(config)
        probation = None if over else self.probation
        trial = None if self.verdict else self.trial
        if probation is state.probation and trial is state.trial:
            return state
        return replace(state, probation=probation, trial=trial)
