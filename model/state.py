"""What a learner knows of a task between two rounds, and how it is read back from the store."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from model.anchor import Anchor
from model.config import HoldoutConfig, ReplayMemoryConfig, TaskConfig
from model.denied import NOTHING, DenyList, deny_list
from model.encoder import Encoder, Features
from model.errors import ArtifactRefusedError, NotFoundError
from model.gain import Gain
from model.head import LinearHead
from model.holdout import HoldoutMemory, HoldoutRow
from model.journal import Journal, Row, from_parquet
from model.lineage import Lineage
from model.lineage_entry import EncoderRef, LineageEntry, ProbationRef, TrialRef
from model.monitor import Probation
from model.replay_memory import ReplayMemory
from model.statistics import Statistics
from model.trial import Trial
from schemas.model_version import Artifact

_Answering = Callable[[int], tuple[LinearHead, Encoder] | None]
"""Head and encoder of an older version, by its number."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """The state after `tip`, never changed: a round makes the next one.

    Statistics, features and heads all belong to one encoder, the champion's.
    """

    tip: LineageEntry | None
    encoder: Encoder
    labels: tuple[str, ...]
    head: LinearHead | None
    """The champion's, over the first `head.num_labels` labels; None before the first version."""
    statistics: Statistics
    """Of every learned record that is not set apart."""
    journal: Journal
    set_apart: Mapping[int, tuple[Row, ...]]
    """Rows of rejected increments by their sequence, for the next increment to try again."""
    tries: Mapping[int, int]
    """How many increments have tried each of these again."""
    holdout: HoldoutMemory
    features: Mapping[str, Features]
    """Features (D,) of the held-out records by id."""
    replay: ReplayMemory
    """Learned records with their texts; those of rejected rounds are apart in it."""
    anchor: Anchor | None = None
    """The version beside which candidates are tested too."""
    probation: Probation | None = None
    """The predecessor of a version that is not confirmed yet."""
    trial: Trial | None = None
    """The predecessor of a refreshed encoder that is on trial."""
    denied: DenyList = NOTHING
    """What must never be learned again."""

    @property
    def sequence(self) -> int:
        """The number of the next entry."""
        return 0 if self.tip is None else self.tip.sequence + 1

    @property
    def records_seen(self) -> int:
        """Records learned or held out so far."""
        return 0 if self.tip is None else self.tip.records_seen

    def split(self, config: TaskConfig) -> HoldoutConfig:
        """The holdout's salt and share: frozen with the first entry."""
        return config.holdout if self.tip is None else self.tip.holdout_config

    def label_index(self) -> dict[str, int]:
        """Column of each label in statistics and heads."""
        return {label: index for index, label in enumerate(self.labels)}

    def holdout_features(self, rows: Sequence[HoldoutRow]) -> Features:
        """Features (N, D) of held-out records."""
        return stacked([self.features[row.id] for row in rows], self.encoder.dim)


def stacked(rows: list[Features], dim: int) -> Features:
    """Feature rows as one matrix (N, D), also where N is 0."""
    return np.stack(rows) if rows else np.zeros((0, dim), np.float32)


def fresh_state(encoder: Encoder, config: TaskConfig, tip: LineageEntry | None = None) -> TaskState:
    """The state of a task that has learned nothing yet; `tip` where only failures went before."""
    return TaskState(
        tip=tip,
        encoder=encoder,
        labels=tip.labels if tip else (),
        head=None,
        statistics=Statistics.empty(
            encoder.dim, len(tip.labels) if tip else 0, projected=config.head.projection
        ),
        journal=Journal(horizon=config.duplicate_horizon_records),
        set_apart={},
        tries={},
        holdout=HoldoutMemory(
            capacity=config.holdout.memory_records, text_bytes=config.holdout.memory_bytes
        ),
        features={},
        replay=ReplayMemory(
            records=config.replay_memory.records, text_bytes=config.replay_memory.bytes
        ),
    )


def load_state(
    lineage: Lineage,
    tip: LineageEntry,
    encoder: Encoder,
    config: TaskConfig,
    *,
    encoder_of: Callable[[EncoderRef], Encoder] | None = None,
) -> TaskState:
    """Read the state after `tip` from the store; `encoder` is the one that `tip.encoder` names.

    Journals are read newest first until a snapshot or the horizon; features of held-out records
    that lie before it are computed again. `encoder_of` loads a predecessor's encoder where that is
    another; without it, or where its files are gone, a version on probation or on trial counts as
    confirmed.

    Raises:
        ArtifactRefusedError: a file is not what the entry says.
        StoreUnavailableError: the store does not answer.
    """
    denied = deny_list(lineage, tip)
    answering = partial(_answering, lineage, encoder=encoder, encoder_of=encoder_of)
    if tip.files is None:
        return replace(fresh_state(encoder, config, tip), denied=denied)
    store = lineage.store
    rows = _journal_rows(lineage, tip, horizon=config.duplicate_horizon_records)
    newest = {(row.id, row.weight < 0): row for row in rows}
    journal = Journal(rows, horizon=config.duplicate_horizon_records)
    holdout = HoldoutMemory.from_bytes(
        store.fetch(tip.files.holdout),
        capacity=config.holdout.memory_records,
        text_bytes=config.holdout.memory_bytes,
    )
    return TaskState(
        tip=tip,
        encoder=encoder,
        labels=tip.labels,
        head=head_of(lineage, tip),
        statistics=Statistics.from_bytes(store.fetch(tip.files.statistics)),
        journal=journal,
        set_apart={
            sequence: tuple(
                row
                for row in rows
                if row.sequence == sequence == newest[row.id, row.weight < 0].sequence
            )
            for sequence in tip.set_apart
        },
        tries=dict(zip(tip.set_apart, tip.set_apart_tries, strict=False)),
        holdout=holdout,
        features=_holdout_features(holdout, journal, encoder),
        replay=_replay(lineage, tip.files.replay, config.replay_memory),
        anchor=_anchor(lineage, tip),
        probation=_probation(tip.probation, answering),
        trial=_trial(tip.trial, answering),
        denied=denied,
    )


def _anchor(lineage: Lineage, tip: LineageEntry) -> Anchor | None:
    if tip.anchor is None or tip.encoder is None:
        return None
    head = None
    with suppress(ArtifactRefusedError, NotFoundError):  # its files are gone: no new answers of it
        entry = lineage.entry(tip.anchor.version)
        if entry.encoder is not None and entry.encoder.digest == tip.encoder.digest:
            head = head_of(lineage, entry)
    return Anchor(tip.anchor.version, tip.anchor.age, head)


def _probation(ref: ProbationRef | None, answering: _Answering) -> Probation | None:
    held = answering(ref.version) if ref else None
    if ref is None or held is None:
        return None
    return Probation(ref.version, *held, ref.num_records, ref.gains, ref.losses)


def _trial(ref: TrialRef | None, answering: _Answering) -> Trial | None:
    if ref is None:
        return None
    before, after = answering(ref.version), answering(ref.refreshed)
    if before is None or after is None:
        return None
    return Trial(
        version=ref.version,
        refreshed=ref.refreshed,
        encoder=before[1],
        head=before[0],
        successor=after[0],
        plan=ref.plan,
        num_records=ref.num_records,
        gain=Gain(ref.known, ref.wrong, ref.gained, ref.lost),
    )


def _answering(
    lineage: Lineage,
    version: int,
    *,
    encoder: Encoder,
    encoder_of: Callable[[EncoderRef], Encoder] | None,
) -> tuple[LinearHead, Encoder] | None:
    """Head and encoder of an older version, or None where its files are gone."""
    try:
        entry = lineage.entry(version)
        head, theirs = head_of(lineage, entry), entry.encoder
        if head is None or theirs is None:
            return None
        if theirs.digest == encoder.digest:
            return head, encoder
        return (head, encoder_of(theirs)) if encoder_of else None
    except (ArtifactRefusedError, NotFoundError):
        return None


def head_of(lineage: Lineage, entry: LineageEntry) -> LinearHead | None:
    """The head of the version that serves after an entry."""
    held = entry.files.head if entry.files else None
    return LinearHead.from_bytes(lineage.store.fetch(held)) if held else None


def _replay(lineage: Lineage, file: Artifact | None, config: ReplayMemoryConfig) -> ReplayMemory:
    if file is None:
        return ReplayMemory(records=config.records, text_bytes=config.bytes)
    raw = lineage.store.fetch(file)
    return ReplayMemory.from_bytes(raw, records=config.records, text_bytes=config.bytes)


def _journal_rows(lineage: Lineage, tip: LineageEntry, *, horizon: int) -> list[Row]:
    """Rows in the order in which they were written."""
    newest_first: list[list[Row]] = []
    known: set[str] = set()
    taken_back = 0
    oldest_apart = min(tip.set_apart, default=tip.sequence)
    first = (tip.files.journal_from if tip.files else None) or 0
    for entry in lineage.back_from(tip):
        if entry.sequence < first:  # forgotten by then, and perhaps pruned since
            break
        if entry.files is None or entry.files.journal is None:
            continue
        rows = from_parquet(lineage.store.fetch(entry.files.journal))
        newest_first.append(rows)
        known.update(row.id for row in rows if row.weight > 0)
        # Taken back or replaced here and there, so that there may be some fewer: read on for these.
        taken_back += sum(row.weight < 0 for row in rows)
        if entry.files.journal_is_snapshot:
            break
        if len(known) - taken_back >= horizon and entry.sequence <= oldest_apart:
            break
    return [row for rows in reversed(newest_first) for row in rows]


def _holdout_features(
    holdout: HoldoutMemory, journal: Journal, encoder: Encoder
) -> dict[str, Features]:
    features: dict[str, Features] = {}
    missing = []
    for row in holdout.rows:
        known = journal.get(row.id)
        if known is not None and known.features is not None:
            features[row.id] = known.features
        else:
            missing.append(row)
    again = encoder.features([row.text for row in missing])
    return features | {row.id: again[index] for index, row in enumerate(missing)}
