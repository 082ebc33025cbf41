"""Over any stream, what is left after an erasure is what a stream without the record leaves."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.ageing import aged
from model.config import HeadConfig, HoldoutConfig, TaskConfig
from model.deltas import applied, rows_of
from model.denied import DenyList
from model.erasure import counted_rows, erased, snapshot_rows
from model.head import LinearHead
from model.intake import take_in
from model.journal import Journal
from model.lineage_entry import LineageEntry
from model.remember import remembered
from model.solution import Solution, settled
from model.splits import text_hash
from model.state import TaskState, fresh_state
from model.statistics import Statistics
from model.update import _taken_in
from schemas.evaluation import Outcome
from tests.model.loop import a_record

DIM = 4
LABELS = ("down", "flat", "up")
CONFIGS = (
    TaskConfig(head=HeadConfig(projection=0), holdout=HoldoutConfig(share=0.3)),
    TaskConfig(head=HeadConfig(projection=6), holdout=HoldoutConfig(share=0.01)),
)
FADING = TaskConfig(
    head=HeadConfig(projection=6, half_life_days=0.1), holdout=HoldoutConfig(share=0.2)
)
HEAD = LinearHead(
    weight=np.zeros((3, DIM), np.float32),
    bias=np.zeros(3, np.float32),
    temperature=1.0,
    form="ridge",
    penalty=1.0,
)


@dataclass(frozen=True)
class Window:
    """Ids and labels of its records, and what becomes of the round, whatever its records are."""

    records: tuple[tuple[int, str], ...]
    promoted: bool
    adopts: bool


WINDOWS = st.builds(
    Window,
    records=st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(LABELS)), min_size=1, max_size=8
    ).map(tuple),
    promoted=st.booleans(),
    adopts=st.booleans(),
)


def text_of(number: int) -> str:
    """Two ids share each text; an id has one text for ever."""
    return f"sales in quarter {number // 2}"


def features_of(texts: Sequence[str]) -> np.ndarray:
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
    rows = [np.random.default_rng(seed).normal(size=DIM) for seed in seeds]
    return np.array(rows, np.float32).reshape(len(texts), DIM)


def begun(config: TaskConfig) -> TaskState:
    encoder: Any = SimpleNamespace(dim=DIM, digest="none", features=features_of)
    state = fresh_state(encoder, config)
    statistics = Statistics.empty(DIM, 3, projected=config.head.projection)
    return replace(state, labels=LABELS, head=HEAD, statistics=statistics)


def learned(
    state: TaskState, number: int, window: Window, config: TaskConfig, without: DenyList
) -> TaskState:
    """One round as the recipe goes, where the gate does as it is told.

    Args:
        state: before.
        number: of the window; each has offsets of its own.
        window: what comes.
        config: of the task.
        without: records that the stream never had.
    """
    records = [
        a_record(number * 100 + place, text=text_of(key), label=label, record_id=f"id-{key}")
        for place, (key, label) in enumerate(window.records)
    ]
    records = [record for record in records if not without.denies(record)]
    through = {"labeled-texts/0": number * 100}
    intake = take_in(
        [("labeled-texts/0", number * 100 + 99, records)],
        journal=state.journal,
        labels=state.labels,
        trained_through=through,
        split=config.holdout,
        config=config,
        denied=state.denied,
    )
    features = features_of([item.record.text for item in intake.taken])
    rows = aged(rows_of(intake, features, state), state, config.head)
    taken_in = _taken_in(state, intake, features, rows, config=config)
    every = [row for held in taken_in.set_apart.values() for row in held]
    alone = applied(taken_in.statistics, rows, taken_in.label_index())
    both = applied(alone, every, taken_in.label_index())
    solution = Solution(HEAD, both if window.adopts else alone, window.adopts)
    outcome = Outcome.PROMOTED if window.promoted else Outcome.REJECTED
    after, given_up, _ = settled(taken_in, rows, solution, outcome)
    after = remembered(taken_in, after, intake, rows, given_up)
    gone = (*(state.tip.given_up if state.tip else ()), *given_up)
    known: Any = {"sequence": state.sequence, "trained_through": through, "given_up": gone}
    tip = LineageEntry.model_construct(**known, records_seen=0)
    return replace(after, tip=tip)


def forgotten(state: TaskState, denied: DenyList) -> TaskState:
    left = erased(state, denied, counted_rows(state, denied))
    return replace(left, denied=state.denied | denied)


def same(one: TaskState, other: TaskState) -> None:
    """Memories, which keep one record of a text, may hold less, and never anything else."""
    for name in ("counts", "sums", "gram"):
        left, right = getattr(one.statistics, name), getattr(other.statistics, name)
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-9, err_msg=name)
    assert {(r.id, r.label, r.part) for r in one.journal} == {
        (r.id, r.label, r.part) for r in other.journal
    }
    assert {r.text for r in one.holdout.rows} <= {r.text for r in other.holdout.rows}
    assert {r.text for r in one.replay.rows} <= {r.text for r in other.replay.rows}


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(WINDOWS, min_size=1, max_size=6),
    after=st.lists(WINDOWS, max_size=3),
    key=st.integers(0, 11),
    by_text=st.booleans(),
    config=st.sampled_from(CONFIGS),
)
def test_what_is_left_is_what_a_stream_without_the_record_leaves(
    before: list[Window], after: list[Window], key: int, by_text: bool, config: TaskConfig
) -> None:
    by_id = DenyList.of_id(f"id-{key}")
    denied = DenyList.of_text(text_hash(text_of(key))) if by_text else by_id
    taught = never = begun(config)
    for number, window in enumerate(before):
        taught = learned(taught, number, window, config, DenyList())
        never = learned(never, number, window, config, denied)

    taught = forgotten(taught, denied)

    same(taught, never)
    for number, window in enumerate(after, start=len(before)):
        taught = learned(taught, number, window, config, DenyList())
        never = learned(never, number, window, config, denied)
    same(taught, never)
    rows = [row for held in taught.set_apart.values() for row in held]
    assert not any(denied.covers(row) for row in (*taught.journal, *rows))
    assert not any(denied.denies(row) for row in taught.holdout.rows)
    assert not any(denied.denies(row) for row in taught.replay.rows)


@settings(max_examples=80, deadline=None)
@given(
    before=st.lists(WINDOWS, min_size=1, max_size=4),
    after=st.lists(WINDOWS, max_size=2),
    key=st.integers(0, 11),
)
def test_what_fades_by_its_time_fades_as_if_the_record_had_never_been(
    before: list[Window], after: list[Window], key: int
) -> None:
    denied = DenyList.of_id(f"id-{key}")
    taught = never = begun(FADING)
    for number, window in enumerate(before):
        promoted = replace(window, promoted=True)
        taught = learned(taught, number, promoted, FADING, DenyList())
        never = learned(never, number, promoted, FADING, denied)

    taught = forgotten(taught, denied)

    same(taught, never)
    for number, window in enumerate(after, start=len(before)):
        promoted = replace(window, promoted=True)
        taught = learned(taught, number, promoted, FADING, DenyList())
        never = learned(never, number, promoted, FADING, denied)
    same(taught, never)


@settings(max_examples=80, deadline=None)
@given(windows=st.lists(WINDOWS, min_size=1, max_size=6), key=st.integers(0, 11))
def test_a_snapshot_alone_gives_the_rows_back(windows: list[Window], key: int) -> None:
    state = begun(CONFIGS[0])
    for number, window in enumerate(windows):
        state = learned(state, number, window, CONFIGS[0], DenyList())
    state = forgotten(state, DenyList.of_id(f"id-{key}"))

    rows = snapshot_rows(state)

    journal = Journal(rows, horizon=state.journal.horizon)
    assert list(journal) == list(state.journal)
    newest = {row.id: row for row in rows}
    for sequence, held in state.set_apart.items():
        read = [r for r in rows if r.sequence == sequence == newest[r.id].sequence]
        assert sorted(map(_named, read)) == sorted(map(_named, held))


def _named(row: Any) -> tuple[str, str, float]:
    return row.id, row.label, row.weight


def test_a_record_is_forgotten_with_all_that_it_stood_for() -> None:
    """After a partial reading each row weighs for others of its label, too."""
    state = learned(
        begun(CONFIGS[1]), 0, Window(((0, "up"), (2, "up"), (4, "down")), True, False),
        CONFIGS[1], DenyList(),
    )  # fmt: skip
    heavy = [replace(row, weight=2.5) for row in state.journal]
    nothing = begun(CONFIGS[1]).statistics
    state = replace(
        state,
        journal=state.journal.replaced(heavy),
        statistics=applied(nothing, heavy, state.label_index()),
    )

    left = forgotten(state, DenyList.of_id("id-2"))

    rest = [row for row in heavy if row.id != "id-2"]
    np.testing.assert_allclose(
        left.statistics.gram, applied(nothing, rest, state.label_index()).gram, atol=1e-9
    )
    assert left.statistics.counts.tolist() == [2.5, 0.0, 2.5]
