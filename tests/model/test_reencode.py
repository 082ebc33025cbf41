"""Old records are encoded again within a budget, and a killed refresh does not start over."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model import reencode
from model.data import Record
from model.encoder import Encoder, Features
from model.feature_cache import FeatureCache
from model.reencode import reencoded
from model.reread import Reread
from tests.model.loop import ALWAYS, Loop, stream


class Killed(BaseException):
    """As the signal that ends a worker: nothing catches it."""


class Slow:
    """Counts texts; each takes a second on a clock of its own."""

    dim = 2
    digest = "slow"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def features(self, texts: Sequence[str]) -> Features:
        self.texts += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    def clock(self) -> float:
        return float(len(self.texts))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reencode, "CHUNK_TEXTS", 10)


def a_reread(count: int) -> Reread:
    """The first ten records were brought first; two rounds in turn are set apart."""
    items = [(record, n // 10) for n, record in enumerate(stream(count))]
    return Reread(
        learned=tuple(item for item in items if item[1] != 2),
        apart=tuple(item for item in items if item[1] == 2),
        spans=(),
    )


def encoded(
    slow: Slow, reread: Reread, folder: Path, *, seconds: float | None, first: int = 2
) -> reencode.Encoded:
    return reencoded(
        slow,  # type: ignore[arg-type]
        reread,
        cache=FeatureCache(folder),
        seconds=seconds,
        first_per_label=first,
        clock=slow.clock,
    )


def test_without_a_budget_every_record_is_encoded_and_keeps_its_place(tmp_path: Path) -> None:
    reread = a_reread(47)

    done = encoded(Slow(), reread, tmp_path, seconds=None)

    assert done.reread == reread
    texts = [record.text for record, _ in (*reread.learned, *reread.apart)]
    np.testing.assert_array_equal(done.features[:, 0], [len(text) for text in texts])


def test_a_budget_of_seconds_takes_the_newest_records_that_fit(tmp_path: Path) -> None:
    slow, reread = Slow(), a_reread(47)

    done = encoded(slow, reread, tmp_path, seconds=35.0, first=1)

    assert len(slow.texts) == 30, "a fourth chunk would end too late"
    kept = [record for record, _ in (*done.reread.learned, *done.reread.apart)]
    assert len(kept) == len(done.features) == 30
    assert {record.offset for record in kept} == set(range(17, 47))
    assert [len(record.text) for record in kept] == done.features[:, 0].tolist()


def test_a_few_of_each_label_come_before_the_newest(tmp_path: Path) -> None:
    rare = [(record, 0) for record in stream(3)]
    common = [(record, 1) for record in stream(60, start=3) if record.label == "up"]

    done = encoded(Slow(), Reread((*rare, *common), (), ()), tmp_path, seconds=10.0, first=1)

    labels = Counter(record.label for record, _ in done.reread.learned)
    assert labels == {"down": 1, "flat": 1, "up": 8}


def test_a_budget_that_is_too_small_for_anything_takes_one_chunk(tmp_path: Path) -> None:
    assert len(encoded(Slow(), a_reread(47), tmp_path, seconds=0.001).features) == 10


def test_chunks_of_an_earlier_attempt_are_not_encoded_again(tmp_path: Path) -> None:
    reread, first = a_reread(47), Slow()
    cut = encoded(first, reread, tmp_path, seconds=25.0)
    second = Slow()

    whole = encoded(second, reread, tmp_path, seconds=None)

    assert len(cut.features) == len(first.texts) == 20
    assert len(second.texts) == 27
    np.testing.assert_array_equal(
        whole.features, encoded(Slow(), reread, tmp_path / "anew", seconds=None).features
    )


def test_a_refresh_that_was_killed_goes_on_after_a_restart(
    tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = stream(180)
    undisturbed = learned(tmp_path / "one", tiny_encoder_folder, records)
    undisturbed.refresh(records)
    loop = learned(tmp_path / "two", tiny_encoder_folder, records)
    base = loop.state().encoder.digest
    whole, encoded_counts, third = Encoder.features, list[int](), True

    def features(encoder: Encoder, texts: Sequence[str]) -> Features:
        # The stages end with `exporting`: then the exported pair is proven on texts of its own.
        if encoder.digest != base and loop.stages[-1] == "recomputing":
            if third and len(encoded_counts) == 2:
                raise Killed
            encoded_counts.append(len(texts))
        return whole(encoder, texts)

    monkeypatch.setattr(Encoder, "features", features)
    with pytest.raises(Killed):
        loop.refresh(records)
    stored, third = sum(encoded_counts), False
    encoded_counts.clear()

    loop.learner = loop.new_learner()
    entry = loop.refresh(records)

    state, expected = loop.state(), undisturbed.state()
    assert state.encoder.digest == expected.encoder.digest != base
    np.testing.assert_array_equal(state.statistics.gram, expected.statistics.gram)
    assert sum(encoded_counts) == entry.evaluation.metrics["encoded_records"] - stored
    assert not (loop.templates / "features").exists()


def learned(folder: Path, encoder_folder: Path, records: list[Record]) -> Loop:
    loop = Loop(folder, encoder_folder, gate=ALWAYS)
    loop.learn(records)
    return loop
