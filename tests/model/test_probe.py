"""Before the first fit a few batches show how fast it will be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import FitConfig
from model.probe import PROBED_BATCHES, probed_speed
from tests.model.loop import Loop, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, fit=FitConfig(batch_size=4, epochs=3))


def test_it_fits_a_few_batches_of_the_newest_records_and_leaves_the_encoder(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records)
    state, told = loop.state(), []

    def progress(stage: str, /, **fields: Any) -> None:
        told.append((stage, fields))

    before = state.encoder.features(["text"])
    speed = probed_speed(state, records, seed=1, config=loop.config, progress=progress)

    assert speed > 0
    assert told[0] == ("probing", {"records": 4 * PROBED_BATCHES})
    np.testing.assert_array_equal(state.encoder.features(["text"]), before)


def test_a_budget_in_seconds_bounds_the_first_fit_too(loop: Loop) -> None:
    records = stream(180)
    loop.learn(records)
    hasty = loop.config.refresh.model_copy(update={"budget_seconds": 1e-6})
    loop.config = loop.config.model_copy(update={"refresh": hasty})

    entry = loop.refresh(records)

    assert entry.evaluation.metrics["fit_records"] <= 2, "one new record and one older, at least"
