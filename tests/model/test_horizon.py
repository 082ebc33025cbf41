"""What is forgotten by a horizon neither chooses nor judges any more."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from model.config import HeadConfig, RefreshConfig
from model.data import Record
from model.horizon import choosing, held_out
from model.lineage_entry import LineageEntry
from schemas.evaluation import Outcome
from tests.model.loop import Loop, stream

WINDOW = 60
HORIZONS = [{"horizon_records": 150}, {"horizon_days": 200 / 24 / 60}]


def learned(folder: Path, base: Path, records: Sequence[Record], **head: float) -> Loop:
    """A stream learned window by window, under the gate as it comes."""
    config = HeadConfig.model_validate({"projection": 0, "shrinkage": "oas", **head})
    loop = Loop(folder, base, head=config, refresh=RefreshConfig(enabled=False))
    for at in range(0, len(records), WINDOW):
        loop.learn(records[at : at + WINDOW])
    return loop


def vanishing(count: int) -> list[Record]:
    """A stream whose label `up` does not come any more after 120 records."""
    records = stream(4 * count)
    return [*records[:120], *(r for r in records[120:] if r.label != "up")][:count]


@pytest.mark.parametrize("horizon", HORIZONS, ids=["records", "days"])
def test_a_label_that_left_the_horizon_is_not_held_against_a_candidate(
    horizon: dict[str, float], tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = learned(tmp_path, tiny_encoder_folder, vanishing(720), **horizon)

    entries: list[LineageEntry] = [loop.lineage.entry(n) for n in range(12)]
    state = loop.state()
    counts = dict(zip(state.labels, state.statistics.counts, strict=True))
    assert counts["up"] == 0
    assert any(row.label == "up" for row in state.holdout.part("judge"))  # it stays for long
    assert not any(row.label == "up" for row in held_out(state, "judge", loop.config.head))
    assert [e.outcome for e in entries[4:]] == [Outcome.PROMOTED] * 8, [
        e.evaluation.reason for e in entries
    ]


def test_without_a_horizon_every_held_out_record_counts(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = learned(tmp_path, tiny_encoder_folder, stream(240))
    state = loop.state()
    for part in ("judge", "select"):
        assert held_out(state, part, loop.config.head) == list(state.holdout.part(part))


@pytest.mark.parametrize("horizon", HORIZONS, ids=["records", "days"])
def test_with_one_those_from_before_it_do_not(
    horizon: dict[str, float], tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = learned(tmp_path, tiny_encoder_folder, stream(480), **horizon)
    state = loop.state()
    rows = held_out(state, "judge", loop.config.head)
    oldest = min(
        row.sequence for row in state.journal if row.part == "learn" and row.features is not None
    )
    assert 0 < len(rows) < len(state.holdout.part("judge"))
    assert {row.sequence for row in rows} == set(range(oldest, 8))


def test_a_label_that_nothing_was_learned_of_does_not_choose(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    """It is known from held-out records; the statistics may not even have a column for it."""
    state = learned(tmp_path, tiny_encoder_folder, stream(240)).state()
    rows = state.holdout.part("select")
    new = replace(rows[0], id="new", label="new")
    state = replace(state, labels=(*state.labels, "new"), holdout=state.holdout.add([new]))
    assert new in state.holdout.part("select")
    assert choosing(state, HeadConfig()) == list(rows)
