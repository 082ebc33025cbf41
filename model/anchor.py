"""The anchor: the best of the last promoted versions, beside which every candidate is tested.

What a step may lose against its parent adds up over many steps; what it may lose against the
anchor does not. The anchor's answers on the judge records are kept with the records, and its head
answers those that come in later for as long as its encoder is at hand: records that no candidate
was chosen on tell far more than those that let it through before (`benchmarks/GATE.md`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.config import GateConfig
from model.data import Record
from model.encoder import Features
from model.gate import Against, Counts, Paired
from model.head import LinearHead
from model.holdout import HoldoutMemory, HoldoutRow
from model.intervals import chance_if_equal

BETTER_AT = 0.05
"""A version takes the anchor's place where McNemar's test gives an equal one no more of a chance.
Taking whichever has a record more right would make an anchor of luck, which equals then miss."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A version that served."""

    version: int
    age: int
    """Promotions since."""
    head: LinearHead | None
    """None where its encoder is not the task's any more."""

    def answered(
        self,
        holdout: HoldoutMemory,
        records: Sequence[Record],
        features: Features,
        labels: Sequence[str],
    ) -> HoldoutMemory:
        """The memory with the anchor's answers on records that came in after it was made.

        Args:
            holdout: the memory.
            records: the judge records to answer (N).
            features: (N, D) of `records` under the task's encoder.
            labels: what the columns of the head mean, in order.
        """
        if self.head is None or not records:
            return holdout
        known = labels[: self.head.num_labels]
        answers = [labels[index] for index in self.head.predict(features)]
        return holdout.marked(
            {
                record.id: answer == record.label
                for record, answer in zip(records, answers, strict=True)
                if record.label in known
            }
        )


def against(
    anchor: Anchor | None, rows: Sequence[HoldoutRow], right: NDArray[np.bool_]
) -> Against | None:
    """The candidate beside the anchor, on the judge records that the anchor answered.

    Args:
        anchor: None before there is one.
        rows: the judge records (N).
        right: (N,) whether the candidate has them right.
    """
    if anchor is None:
        return None
    both = [index for index, row in enumerate(rows) if row.anchor_right is not None]
    theirs = np.array([bool(rows[index].anchor_right) for index in both], dtype=bool)
    return Against(anchor.version, Paired(theirs, right[both]).counts())


def gives_way(age: int, found: Counts, config: GateConfig) -> bool:
    """Whether the anchor gives way to a version that was promoted.

    Args:
        age: promotions before this one since it became the anchor.
        found: the new version beside it.
        config: how many promotions it stays for.
    """
    better = chance_if_equal(found.losses, found.gains) <= BETTER_AT
    return better or age + 1 >= config.anchor_versions


def anchored(
    anchor: Anchor | None,
    holdout: HoldoutMemory,
    *,
    version: int,
    head: LinearHead,
    right: Mapping[str, bool],
    known: Collection[str],
    same_encoder: bool,
    config: GateConfig,
) -> tuple[Anchor, HoldoutMemory]:
    """The anchor after a promotion: the new version where it is better, or the old one too old.

    Args:
        anchor: before.
        holdout: with the anchor's answers.
        version: the version that was promoted.
        head: its head.
        right: whether it has a judge record right, by id; of what lies before the horizon nothing.
        known: the labels that it can answer with.
        same_encoder: whether its encoder is the anchor's.
        config: how many promotions an anchor stays for.
    """
    rows = [row for row in holdout.part("judge") if row.id in right]
    found = against(anchor, rows, np.array([right[row.id] for row in rows], dtype=bool))
    if anchor is not None and found is not None and not gives_way(anchor.age, found.counts, config):
        held = anchor.head if same_encoder else None
        return replace(anchor, age=anchor.age + 1, head=held), holdout
    flags = {
        row.id: right.get(row.id) if row.label in known else None for row in holdout.part("judge")
    }
    return Anchor(version, 0, head), holdout.marked(flags)
