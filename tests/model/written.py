"""A store as rounds leave it, written by hand: small files, no model, no torch."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from model.artifacts import ArtifactStore
from model.config import HoldoutConfig, TaskConfig
from model.lineage import Lineage, encoder_folder
from model.lineage_entry import (
    AnchorRef,
    EncoderRef,
    LineageEntry,
    ProbationRef,
    Rollback,
    StateFiles,
    TrialRef,
)
from model.plan import Plan
from schemas.evaluation import Comparison, EvaluationEvent, Outcome, RecordCounts
from schemas.model_version import Artifact, ModelVersion

TASK = "prices"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(hours=1)
"""From one round to the next."""
NOTHING = Comparison(num_records=0)

Kind = Literal["increment", "rejected", "refresh", "failed", "rollback"]


class Written:
    """A lineage; each method writes one round, with what a real one would name.

    Args:
        store: where to.
        task: its name.
        horizon: rounds whose rows are still known.
        stays: promotions that an anchor stays for.
    """

    def __init__(
        self, store: ArtifactStore, task: str = TASK, *, horizon: int = 100, stays: int = 3
    ) -> None:
        self.store = store
        self.lineage = Lineage(store, task)
        self.tip: LineageEntry | None = None
        self._horizon, self._stays = horizon, stays

    def round(self, kind: Kind, *, to: int | None = None, encoder: str = "") -> LineageEntry:
        """One round; a rollback goes back `to` a version, a refresh has an `encoder`'s name."""
        sequence = self.tip.sequence + 1 if self.tip else 0
        folder = f"tasks/{self.lineage.task}/attempts/{sequence:08d}-{kind}"
        target = None if to is None else self.lineage.entry(to)
        promoted = kind in ("increment", "refresh", "rollback")
        held = target.encoder if target else (self.tip.encoder if self.tip else None)
        if held is None or encoder:
            held = self._encoder(encoder or "base")
        files = self._files(folder, kind, sequence)
        version = None
        if promoted:
            old = target.version if target else None
            version = self._version(folder, sequence, held, head=old.head if old else None)
        self.tip = LineageEntry(
            task=self.lineage.task,
            sequence=sequence,
            attempt=folder.rsplit("/", 1)[-1],
            kind=kind if kind in ("refresh", "rollback") else "increment",
            trained_through={},
            windows=(),
            spans=(),
            labels=("down", "up"),
            records_seen=0,
            holdout_config=HoldoutConfig(),
            encoder=held,
            files=files,
            config=TaskConfig(),
            seed=0,
            evaluation=self._evaluation(kind, sequence),
            version=version,
            serving=sequence if promoted else (self.tip.serving if self.tip else None),
            anchor=self._anchor(sequence, promoted=promoted),
            probation=self._probation(promoted=promoted, kind=kind),
            trial=self._trial(sequence, kind=kind),
            rollback=None if to is None else Rollback(restores=to, blamed=(), who="o", why="w"),
            created_at=BEGAN + sequence * EVERY,
        )
        self.lineage.commit(self.tip)
        return self.tip

    def rounds(self, count: int) -> "Written":
        """So many increments."""
        for _ in range(count):
            self.round("increment")
        return self

    @property
    def now(self) -> datetime:
        """When the last round was written."""
        return self.tip.created_at if self.tip else BEGAN

    def _put(self, path: str) -> Artifact:
        return self.store.put(path, path.encode())

    def _encoder(self, name: str) -> EncoderRef:
        digest = name.encode().hex().ljust(64, "0")
        folder = encoder_folder(digest)
        weights, tokenizer = self._put(f"{folder}/w.st"), self._put(f"{folder}/tokenizer.json")
        return EncoderRef(
            digest=digest,
            files={"w.st": weights, "tokenizer.json": tokenizer},
            graph=self._put(f"{folder}/encoder.onnx"),
            tokenizer=tokenizer,
        )

    def _files(self, folder: str, kind: Kind, sequence: int) -> StateFiles | None:
        before = self.tip.files if self.tip else None
        if kind == "failed":
            return before.model_copy(update={"journal": None}) if before else None
        snapshot = kind in ("refresh", "rollback")
        first = max((before.journal_from or 0) if before else sequence, sequence - self._horizon)
        keeps = kind == "rejected" and before is not None
        return StateFiles(
            statistics=before.statistics if keeps and before else self._put(f"{folder}/stats.st"),
            journal=self._put(f"{folder}/journal.parquet"),
            journal_is_snapshot=snapshot,
            journal_from=sequence if snapshot else first,
            holdout=self._put(f"{folder}/holdout.parquet"),
            head=before.head if keeps and before else self._put(f"{folder}/head.st"),
            replay=before.replay if before and sequence % 2 else self._put(f"{folder}/replay.pq"),
        )

    def _version(
        self, folder: str, sequence: int, encoder: EncoderRef, *, head: Artifact | None
    ) -> ModelVersion:
        return ModelVersion(
            task=self.lineage.task,
            version=sequence,
            parent=self.tip.serving if self.tip else None,
            kind="increment",
            attempt=folder.rsplit("/", 1)[-1],
            uri=self.store.uri,
            encoder=encoder.graph,
            tokenizer=encoder.tokenizer,
            head=head or self._put(f"{folder}/head.onnx"),
            labels=("down", "up"),
            spans=(),
            metrics={},
            seconds={},
            created_at=BEGAN + sequence * EVERY,
        )

    def _anchor(self, sequence: int, *, promoted: bool) -> AnchorRef | None:
        held = self.tip.anchor if self.tip else None
        if not promoted:
            return held
        if held is None or held.age + 1 >= self._stays:
            return AnchorRef(version=sequence, age=0)
        return AnchorRef(version=held.version, age=held.age + 1)

    def _probation(self, *, promoted: bool, kind: Kind) -> ProbationRef | None:
        if self.tip is None or self.tip.serving is None or kind == "rollback":
            return None
        if self.tip.probation is not None or not promoted:
            return None
        return ProbationRef(version=self.tip.serving, num_records=0, gains=0, losses=0)

    def _trial(self, sequence: int, *, kind: Kind) -> TrialRef | None:
        if self.tip is None or self.tip.serving is None or kind == "rollback":
            return None
        if kind != "refresh":  # it lasts for a round
            held = self.tip.trial
            if held is None or held.num_records:
                return None
            return held.model_copy(update={"num_records": 250})
        return TrialRef(
            version=self.tip.serving,
            refreshed=sequence,
            plan=Plan(),
            num_records=0,
            known=0,
            wrong=0,
            gained=0,
            lost=0,
        )

    def _evaluation(self, kind: Kind, sequence: int) -> EvaluationEvent:
        outcomes = {
            "rejected": Outcome.REJECTED,
            "failed": Outcome.FAILED,
            "rollback": Outcome.ROLLED_BACK,
        }
        return EvaluationEvent(
            task=self.lineage.task,
            sequence=sequence,
            kind="increment",
            champion=self.tip.serving if self.tip else None,
            windows=(),
            spans=(),
            counts=RecordCounts(),
            prequential_accuracy=None,
            new=NOTHING,
            old=NOTHING,
            outcome=outcomes.get(kind, Outcome.PROMOTED),
            reason=kind,
            seconds={},
            last_appended_at=None,
            evaluated_at=BEGAN + sequence * EVERY,
        )
