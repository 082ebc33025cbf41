"""The accuracy matrix grows by a row a round, and is summed up as the field does."""

from functools import reduce
from operator import or_
from pathlib import Path

import pytest

from model.denied import DenyList
from model.transfer_so_far import by_window, transfer_after
from schemas.evaluation import SliceAccuracy, Transfer
from tests.model.forgetting import OBLIGING, a_learned, forgotten
from tests.model.loop import ALWAYS, Loop, part_of, stream


def held(
    window: int, champion: float | None, candidate: float, kind: str = "window"
) -> SliceAccuracy:
    name = f"{kind}:{window}"
    return SliceAccuracy(name=name, num_records=10, champion=champion, candidate=candidate)


def rounds(*measured: tuple[bool, list[SliceAccuracy]]) -> Transfer:
    found = None
    for served_on, slices in measured:
        found = transfer_after(found, slices, served_on=served_on)
    assert found is not None
    return found


def test_forgetting_and_transfer_are_those_of_the_matrix() -> None:
    found = rounds(
        (False, [held(0, None, 0.8)]),
        (False, [held(0, 0.8, 0.9), held(1, 0.4, 0.7)]),
        (False, [held(0, 0.9, 0.6), held(1, 0.7, 0.75), held(2, 0.5, 1.0)]),
    )
    assert [row.window for row in found.windows] == [0, 1, 2]
    assert found.average_accuracy == pytest.approx((0.6 + 0.75 + 1.0) / 3)
    assert found.forgetting == pytest.approx((0.9 - 0.6 + 0.75 - 0.75) / 2)
    assert found.backward_transfer == pytest.approx((0.6 - 0.8 + 0.75 - 0.7) / 2)
    assert found.forward_transfer == pytest.approx((0.4 + 0.5) / 2)


def test_where_the_champion_serves_on_its_accuracies_count() -> None:
    found = rounds((False, [held(0, None, 0.8)]), (True, [held(0, 0.8, 0.1), held(1, 0.6, 0.9)]))
    assert [(row.first, row.best, row.now) for row in found.windows] == [(0.8,) * 3, (0.6,) * 3]


def test_a_round_that_measures_nothing_keeps_what_is_known() -> None:
    found = rounds((False, [held(0, None, 0.8)]), (True, []))
    assert found.average_accuracy == 0.8
    assert transfer_after(None, [held(3, None, 0.5, kind="month")], served_on=False) is None
    assert transfer_after(None, [held(0, None, 0.5)], served_on=True) is None  # nothing serves yet


def test_every_event_of_a_lineage_carries_it(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    records = stream(240)
    entries = [loop.learn(records[at : at + 60]) for at in range(0, 240, 60)]
    last = entries[-1].evaluation
    assert last.transfer is not None
    now = {f"window:{row.window}": row.now for row in last.transfer.windows}
    assert now == {s.name: s.candidate for s in last.slices if s.name.startswith("window:")}
    assert len(now) == 4
    assert last.transfer.forgetting >= 0
    assert last.evidence in ("sufficient", "insufficient")


@pytest.fixture
def learned(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    """Three rounds of 60 records under one encoder."""
    loop = Loop(tmp_path, tiny_encoder_folder, **OBLIGING)
    for start in (0, 60, 120):
        loop.learn(stream(60, start=start))
    return loop


def test_after_a_forgetting_the_accuracies_are_those_of_the_new_head(learned: Loop) -> None:
    before = learned.lineage.entry(2).evaluation.transfer
    ups = [r.id for r in stream(180) if r.label == "up" and part_of(learned, r.id) == "learn"]

    entry = forgotten(learned, reduce(or_, map(DenyList.of_id, ups[3:])))

    measured, found = by_window(entry.evaluation.slices), entry.evaluation.transfer
    assert entry.version is not None
    assert any(each.champion != each.candidate for each in measured.values())
    assert before is not None
    assert found is not None
    assert {row.window: row.now for row in found.windows} == {
        window: each.candidate for window, each in measured.items()
    }
    assert [row.first for row in found.windows] == [row.first for row in before.windows]


def test_a_forgetting_that_leaves_the_head_leaves_the_figures_too(learned: Loop) -> None:
    before = learned.lineage.entry(2).evaluation.transfer

    entry = forgotten(learned, a_learned(learned, stream(180), "judge").id)

    assert entry.version is None
    assert entry.evaluation.transfer == before is not None
