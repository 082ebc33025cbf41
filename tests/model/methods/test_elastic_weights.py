"""Elastic weights hold on to older records alone: without any, the fit is as without the method."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.config import MethodsConfig, RefreshConfig
from model.encoder import Encoder
from model.methods.ewc import ElasticWeights
from model.refit import Refitted, refitted
from tests.model.loop import Loop, stream
from tests.model.methods.test_contract import context

ON = MethodsConfig.model_validate({"ewc": {"weight": 1e4}})


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    loop = Loop(tmp_path, tiny_encoder_folder)
    loop.learn(stream(60))
    return loop


def fitted(loop: Loop, methods: MethodsConfig, *, newest: int) -> Refitted:
    """A fit of 60 records, of which so many are new."""
    refresh = RefreshConfig(newest_records=newest, replay_share=0.5)
    config = loop.config.model_copy(update={"methods": methods, "refresh": refresh})
    return refitted(
        loop.state(), stream(60), seed=1, config=config, progress=lambda _stage, /, **_fields: None
    )


def test_the_penalty_is_none_where_no_older_record_is_drawn(encoder: Encoder) -> None:
    given = context(encoder)
    method = ElasticWeights(3.0, 4)

    assert method.objective(given) is not None
    assert method.objective(replace(given, replayed=np.zeros(24, bool))) is None


@pytest.mark.parametrize(("newest", "held"), [(60, False), (30, True)])
def test_a_refresh_is_held_back_by_older_records_alone(
    loop: Loop, newest: int, *, held: bool
) -> None:
    plain = fitted(loop, MethodsConfig(), newest=newest)

    found = fitted(loop, ON, newest=newest)

    assert (found.encoder.digest != plain.encoder.digest) is held
    assert (found.report.losses != plain.report.losses) is held
