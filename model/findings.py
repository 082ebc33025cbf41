"""What a round found and decided, before it is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Self

from model.bandit import Bandit
from model.config import TaskConfig
from model.drift import Change, Watch
from model.evaluate import Judgement
from model.gain import NOTHING, Gain
from model.holdout import HoldoutRow
from model.journal import Row
from model.lineage_entry import Forgetting, LineageEntry, Rollback
from model.trial import Verdict
from schemas.base import Span
from schemas.evaluation import Comparison, Outcome, RecordCounts, SliceAccuracy
from schemas.metrics import ClassificationMetrics

_NOTHING = Comparison(num_records=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The outcome of a round, its evidence, and what of the state changed."""

    kind: Literal["increment", "refresh", "rollback", "forget"]
    outcome: Outcome
    reason: str
    config: TaskConfig
    seed: int = 0
    windows: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    refresh_reads: tuple[Span, ...] = ()
    refresh_lost: tuple[Span, ...] = ()
    covered: float | None = None
    counts: RecordCounts = field(default_factory=RecordCounts)
    trained_through: dict[str, int]
    refused: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    last_appended_at: datetime | None = None
    prequential_accuracy: float | None = None
    new: Comparison = _NOTHING
    old: Comparison = _NOTHING
    evidence: Literal["sufficient", "insufficient"] | None = None
    slices: tuple[SliceAccuracy, ...] = ()
    champion_metrics: ClassificationMetrics | None = None
    candidate_metrics: ClassificationMetrics | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    """What the round adds to the journal."""
    snapshot: bool = False
    """Whether `rows` is every row that is still known."""
    given_up: tuple[int, ...] = ()
    watch: Watch | None = None
    """What is watched for drift after the round; None: as before."""
    drift: Change | None = None
    gain_new: Gain = NOTHING
    """A refresh: on the selection records of the newest rounds, for the plan of the next."""
    gain_old: Gain = NOTHING
    """A refresh: on those before."""
    trial: Verdict | None = None
    """Where the trial of a refreshed encoder has ended."""
    bandit: Bandit | None = None
    """A refresh: after its contest between plans; None where there was none."""
    proof: Sequence[HoldoutRow] = ()
    """Held-out records on whose texts the exported pair is proven."""
    restored: LineageEntry | None = None
    """A rollback: the entry whose version is announced again; it was exported and proven then."""
    rollback: Rollback | None = None
    forgetting: Forgetting | None = None
    """What was forgotten, and the whole deny list after it."""
    solved: bool = False
    """Outside of a promotion: a head was solved that serves, to be exported and proven."""
    fitted_from: str | None = None
    """A refresh: digest of the encoder that it started from, where that was not the champion's."""

    def judged(self, found: Judgement) -> Self:
        """The same with what the gate decided, and on which evidence."""
        return replace(
            self,
            outcome=found.outcome,
            reason=found.reason,
            new=found.new,
            old=found.old,
            evidence=found.evidence,
            slices=found.slices,
            champion_metrics=found.champion_metrics,
            candidate_metrics=found.candidate_metrics,
            metrics={**self.metrics, **found.metrics},
        )
