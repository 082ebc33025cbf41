"""What a lineage says of one round: what it read, decided and left, and where its files are."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from model.config import HoldoutConfig, TaskConfig
from model.drift import Watch
from model.environment import Environment
from model.plan import Plan
from schemas.base import Count, Label, Span, TaskName
from schemas.evaluation import EvaluationEvent, Outcome
from schemas.model_version import Artifact, ModelVersion


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderRef(_Part):
    """An encoder in the store: its digest names it, `files` make it, `graph` serves it."""

    digest: str
    files: dict[str, Artifact]
    graph: Artifact
    tokenizer: Artifact

    def paths(self) -> frozenset[str]:
        """Of all its files."""
        return frozenset(each.path for each in (*self.files.values(), self.graph, self.tokenizer))


class StateFiles(_Part):
    """Where the state after this entry lies. A file that did not change is named again."""

    statistics: Artifact
    journal: Artifact | None
    """Parquet: the rows that this round added to or took from what was learned."""
    journal_is_snapshot: bool = False
    """After a refresh the journal holds every row that is still known, with new features."""
    journal_from: Count | None = None
    """Sequence of the oldest entry whose journal holds a row that is still known; nothing before it
    is read. Entries of earlier versions do not say: all back to the last snapshot."""
    holdout: Artifact
    head: Artifact | None
    """safetensors: the head of the version that serves after this entry."""
    replay: Artifact | None = None
    """Parquet: learned records with their texts; entries of earlier versions have none."""


class AnchorRef(_Part):
    """The version beside which every candidate is tested; its answers lie with the holdout."""

    version: Count
    age: Count
    """Promotions since."""


class ProbationRef(_Part):
    """The predecessor that answers beside the serving version, and how both did so far."""

    version: Count
    num_records: Count
    gains: Count
    losses: Count


class TrialRef(_Part):
    """The trial of a refreshed encoder: its predecessor, its refresh, and how both did so far."""

    version: Count
    """Of the predecessor."""
    refreshed: Count
    """Sequence of the refresh."""
    plan: Plan
    """With which it was fitted."""
    num_records: Count
    known: Count
    """Records of labels that the predecessor had learned; the counts below are of these."""
    wrong: Count
    gained: Count
    lost: Count


class Rollback(_Part):
    """Who took back what."""

    restores: Count
    """Sequence of the version that serves again, under this entry's number."""
    blamed: tuple[Count, ...]
    """Sequences of the increments whose records were set apart."""
    who: str
    why: str


class Forgetting(_Part):
    """Who had what forgotten, and all that the task must not learn again: hashes, never texts."""

    who: str
    why: str
    ids: tuple[str, ...]
    """Hashes of the ids that are denied after this entry; see `model.denied`."""
    texts: tuple[str, ...]
    """Hashes of the normalised texts that are denied after this entry."""
    tuned: tuple[Count, ...] = ()
    """Sequences of the refreshes whose encoders may have been tuned on any of them."""
    learned_by: tuple[Count, ...] = ()
    """Sequences of the versions that learned what this entry forgets."""
    num_learned: Count = 0
    """Records that were subtracted from the statistics."""
    num_held_out: Count = 0
    num_remembered: Count = 0
    """Records that left the replay memory."""


class LineageEntry(_Part):
    """One round: what was read, what came of it, and where its files lie.

    The events that announce it are part of it, so that whoever finds the entry can publish them.
    """

    task: TaskName
    sequence: Count
    attempt: str
    kind: Literal["increment", "refresh", "rollback", "forget"]
    trained_through: dict[str, Count]
    """Per `topic/partition`: the offset below which every record is accounted for."""
    refused: dict[str, tuple[Count, ...]] = Field(default_factory=dict)
    """Per `topic/partition`: offsets of the records whose labels are beyond the limits of `config`;
    each is announced as a dead letter."""
    windows: tuple[str, ...]
    spans: tuple[Span, ...]
    refresh_reads: tuple[Span, ...] = ()
    """What a refresh read again."""
    refresh_lost: tuple[Span, ...] = ()
    """Those of them that the log did not hold as a whole any more."""
    covered: float | None = None
    """A refresh: share of the learned records that its statistics were recomputed from."""
    fitted_from: str | None = None
    """A refresh: digest of the encoder that it started from; None is the champion's."""
    labels: tuple[Label, ...]
    """Known labels, append-only; a rejected candidate's new labels stay known."""
    set_apart: tuple[Count, ...] = ()
    """Sequences of rejected increments whose records the next increment tries again."""
    set_apart_tries: tuple[Count, ...] = ()
    """How many increments have tried each of them, those included that a rollback took back."""
    given_up: tuple[Count, ...] = ()
    """Sequences of rejected increments that were tried again often enough."""
    records_seen: Count
    """Records learned or held out so far."""
    refreshed_at: Count | None = None
    """`records_seen` at the last refresh, promoted or not."""
    plan: Plan | None = None
    """Of the next refresh: what feedback has changed so far; None is as configured."""
    refreshed_on: AwareDatetime | None = None
    """When the last refresh was written down."""
    watch: Watch | None = None
    """What is watched for drift."""
    drifted_at: Count | None = None
    """`records_seen` where the last drift began."""
    horizon_from: Count = 0
    """Sequence from which records are inside the horizon; before it lies a forgotten regime."""
    holdout_config: HoldoutConfig
    """Frozen with the first entry: a record never changes sides."""
    encoder: EncoderRef | None
    """Of the version that serves after this entry, else of the first candidate."""
    files: StateFiles | None
    """None where nothing was ever learned."""
    config: TaskConfig
    seed: Count
    environment: Environment | None = None
    """In which the round was learned; entries of earlier versions do not say."""
    evaluation: EvaluationEvent
    version: ModelVersion | None
    """What is announced; a promoted entry has one."""
    serving: Count | None
    """Sequence of the version that serves after this entry."""
    anchor: AnchorRef | None = None
    probation: ProbationRef | None = None
    """None where the serving version is confirmed."""
    trial: TrialRef | None = None
    """None where no refreshed encoder is on trial."""
    rollback: Rollback | None = None
    """A rollback: what it restores. Its head and statistics are that version's."""
    forgetting: Forgetting | None = None
    denied_in: Count | None = None
    """Sequence of the entry whose `forgetting` has the deny list that holds; None: nothing."""
    created_at: AwareDatetime

    @property
    def outcome(self) -> Outcome:
        """How the round ended."""
        return self.evaluation.outcome


def command_stands(tip: LineageEntry | None, *, given_at: datetime) -> bool:
    """Whether a refresh that was commanded at this time is still to be done.

    Any refresh that ended since has settled it, whatever came of it: so a command that is read
    again after a restart is obeyed once. `refresh.enabled` does not matter: a person asks.
    """
    return tip is None or tip.refreshed_on is None or tip.refreshed_on < given_at
