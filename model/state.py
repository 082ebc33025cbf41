"""What a learner knows of a task between two rounds, and how it is read back from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.config import HoldoutConfig, TaskConfig
from model.encoder import Encoder, Features
from model.head import LinearHead
from model.holdout import HoldoutMemory, HoldoutRow
from model.journal import Journal, Row, from_parquet
from model.lineage import Lineage, LineageEntry
from model.statistics import Statistics


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
        holdout=HoldoutMemory(capacity=config.holdout.memory_records),
        features={},
    )


def load_state(
    lineage: Lineage, tip: LineageEntry, encoder: Encoder, config: TaskConfig
) -> TaskState:
    """Read the state after `tip` from the store; `encoder` is the one that `tip.encoder` names.

    Journals are read newest first until a snapshot or the horizon; features of held-out records
    that lie before it are computed again.

    Raises:
        ArtifactRefusedError: a file is not what the entry says.
        StoreUnavailableError: the store does not answer.
    """
    if tip.files is None:
        return fresh_state(encoder, config, tip)
    store = lineage.store
    rows = _journal_rows(lineage, tip, horizon=config.duplicate_horizon_records)
    newest = {row.id: row for row in rows}
    journal = Journal(rows, horizon=config.duplicate_horizon_records)
    holdout = HoldoutMemory.from_bytes(
        store.fetch(tip.files.holdout), capacity=config.holdout.memory_records
    )
    return TaskState(
        tip=tip,
        encoder=encoder,
        labels=tip.labels,
        head=LinearHead.from_bytes(store.fetch(tip.files.head)) if tip.files.head else None,
        statistics=Statistics.from_bytes(store.fetch(tip.files.statistics)),
        journal=journal,
        set_apart={
            sequence: tuple(
                row for row in rows if row.sequence == sequence == newest[row.id].sequence
            )
            for sequence in tip.set_apart
        },
        tries=dict(zip(tip.set_apart, tip.set_apart_tries, strict=False)),
        holdout=holdout,
        features=_holdout_features(holdout, journal, encoder),
    )


def _journal_rows(lineage: Lineage, tip: LineageEntry, *, horizon: int) -> list[Row]:
    """Rows in the order in which they were written."""
    newest_first: list[list[Row]] = []
    oldest_apart = min(tip.set_apart, default=tip.sequence)
    for entry in lineage.back_from(tip):
        if entry.files is None or entry.files.journal is None:
            continue
        newest_first.append(from_parquet(lineage.store.fetch(entry.files.journal)))
        if entry.files.journal_is_snapshot:
            break
        if sum(map(len, newest_first)) >= horizon and entry.sequence <= oldest_apart:
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
