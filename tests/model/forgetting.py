"""Asks for records to be forgotten, and sums up what should then be known."""

from typing import Any

import numpy as np

from model.config import GateConfig, MonitorConfig
from model.data import Record
from model.deltas import applied
from model.denied import DenyList
from model.lineage_entry import LineageEntry
from model.statistics import Statistics
from model.traces import Traces
from tests.model.loop import TASK, Loop, part_of

OBLIGING: dict[str, Any] = {"gate": GateConfig(obey=False), "monitor": MonitorConfig(enabled=False)}
"""A gate that promotes whatever comes, and nobody who watches it."""


def forgotten(loop: Loop, denied: DenyList | str, **options: bool) -> LineageEntry:
    entry = asked(loop, denied, **options)[1]
    assert entry is not None
    return entry


def asked(
    loop: Loop, denied: DenyList | str, **options: bool
) -> tuple[Traces, LineageEntry | None]:
    target = DenyList.of_id(denied) if isinstance(denied, str) else denied
    return loop.learner.forget(
        TASK, target, loop.config, who="the data office", why="on request", **options
    )


def a_learned(loop: Loop, records: list[Record], part: str = "learn") -> Record:
    """One behind the first three: they tell in which order labels are known."""
    return next(record for record in records[3:] if part_of(loop, record.id) == part)


def direct(loop: Loop) -> Statistics:
    """The statistics of every counted row, summed up at once with its weight and its clock."""
    state = loop.state(loop.new_learner())
    gone = {*state.set_apart, *(state.tip.given_up if state.tip else ())}
    nothing = Statistics.empty(
        state.encoder.dim,
        len(state.labels),
        projected=state.statistics.projected,
        clock=state.statistics.clock,
    )
    counting = [row for row in state.journal if row.sequence not in gone]
    return applied(nothing, counting, state.label_index())


def same(one: Statistics, other: Statistics) -> None:
    np.testing.assert_allclose(one.counts, other.counts, atol=1e-9)
    np.testing.assert_allclose(one.sums, other.sums, atol=1e-9)
    np.testing.assert_allclose(one.gram, other.gram, atol=1e-8)
