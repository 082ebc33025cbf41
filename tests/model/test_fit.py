"""The fit: learns, leaves its input alone, repeats itself bit by bit, stops when it diverges."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from model.config import FitConfig
from model.encoder import Encoder
from model.errors import NotFiniteError
from model.fit import FitReport, fit_encoder
from model.fit_model import FitModel
from model.fit_steps import plan_steps
from model.methods import CrossEntropy, FitBatch
from model.optimiser import build_optimiser, learning_rate_factor
from tests.model.tiny import LABELS, labeled_texts

TEXTS, TARGETS = labeled_texts(48)
CONFIG = FitConfig(epochs=2, batch_size=8, learning_rate=1e-3, head_learning_rate=1e-2, dropout=0.1)


def _fit(
    encoder: Encoder, *, seed: int = 1, config: FitConfig = CONFIG
) -> tuple[Encoder, FitReport]:
    fitted = fit_encoder(encoder, TEXTS, TARGETS, len(LABELS), config=config, seed=seed)
    return fitted.encoder, fitted.report


def _nearest_mean_accuracy(encoder: Encoder) -> float:
    """Of a nearest-class-mean classifier on the texts that a fit sees."""
    features, labels = encoder.features(TEXTS), np.array(TARGETS)
    means = np.stack([features[labels == each].mean(axis=0) for each in range(3)])
    distances = ((features[:, None] - means) ** 2).sum(axis=-1)
    return float((distances.argmin(axis=1) == labels).mean())


def test_a_fit_brings_texts_of_a_label_together(encoder: Encoder) -> None:
    fitted, report = _fit(encoder, config=CONFIG.model_copy(update={"epochs": 12}))
    assert report.losses[0] == pytest.approx(math.log(3), abs=1e-3)  # the head starts at zero
    assert np.mean(report.losses[-6:]) < 0.9
    assert _nearest_mean_accuracy(fitted) > _nearest_mean_accuracy(encoder) + 0.2


def test_the_encoder_that_was_given_is_untouched(encoder: Encoder) -> None:
    before = encoder.files()
    fitted, _ = _fit(encoder)
    assert encoder.files() == before
    assert fitted.digest != encoder.digest
    assert not encoder.module.training
    assert not fitted.module.training


def test_the_same_seed_gives_the_same_weights_bit_by_bit(encoder: Encoder) -> None:
    """Dropout is on, and the caller's generators stand elsewhere the second time."""
    first, report = _fit(encoder)
    torch.rand(5)
    np.random.default_rng()
    second, again = _fit(encoder)
    assert first.files() == second.files()
    assert report.losses == again.losses


def test_another_seed_gives_other_weights(encoder: Encoder) -> None:
    assert _fit(encoder)[0].digest != _fit(encoder, seed=2)[0].digest


def test_a_fit_leaves_the_generators_and_flags_of_its_caller_alone(encoder: Encoder) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    _fit(encoder)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_report_counts_records_and_steps(encoder: Encoder) -> None:
    steps: list[tuple[str, int, int]] = []

    def progress(stage: str, /, **fields: Any) -> None:
        steps.append((stage, fields["step"], fields["steps"]))
        assert math.isfinite(fields["loss"])

    report = fit_encoder(
        encoder, TEXTS, TARGETS, 3, config=CONFIG, seed=1, progress=progress
    ).report
    assert report.records == 48
    assert report.sample_steps == 96
    assert report.optimiser_steps == len(report.losses) == 12
    assert report.seconds > 0
    assert steps == [("fitting", step, 12) for step in range(1, 13)]


def test_gradient_accumulation_equals_a_larger_batch(encoder: Encoder) -> None:
    """Without dropout the sum over two batches of 4 is the gradient of one of 8."""
    plain = CONFIG.model_copy(update={"optimiser": "sgd", "dropout": 0.0})
    halves = plain.model_copy(update={"batch_size": 4, "accumulate": 2})
    first, second = _fit(encoder, config=halves)[0], _fit(encoder, config=plain)[0]
    np.testing.assert_allclose(first.features(TEXTS), second.features(TEXTS), atol=1e-5)


def test_every_record_is_seen_once_an_epoch() -> None:
    lengths = [3 + index % 11 for index in range(70)]
    config = FitConfig(epochs=3, batch_size=4, accumulate=2)
    steps = plan_steps(lengths, config=config, seed=5)
    assert len(steps) == 3 * math.ceil(70 / 8)
    for epoch in range(3):
        seen = [
            index for step in steps[epoch * 9 : epoch * 9 + 9] for batch in step for index in batch
        ]
        assert sorted(seen) == list(range(70))
    assert steps == plan_steps(lengths, config=config, seed=5)
    assert steps != plan_steps(lengths, config=config, seed=6)


def test_batches_hold_records_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(4, 128, size=512).tolist()
    steps = plan_steps(lengths, config=FitConfig(epochs=1, batch_size=8), seed=1)
    padded = sum(8 * max(lengths[index] for index in batch) for step in steps for batch in step)
    assert padded < 1.15 * sum(lengths)


@pytest.mark.parametrize(
    ("done", "factor"), [(0, 0.5), (1, 1.0), (2, 1.0), (6, 5 / 9), (10, 1 / 9), (11, 0.0)]
)
def test_the_learning_rate_rises_and_falls_in_lines(done: int, factor: float) -> None:
    """11 steps with a warm-up share of 0.1: two rise, nine fall."""
    expected = learning_rate_factor(done, 11, FitConfig(warmup_share=0.1))
    assert expected == pytest.approx(factor)


def test_a_fit_of_one_step_learns_at_the_full_rate() -> None:
    assert learning_rate_factor(0, 1, FitConfig()) == 1.0


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd", "momentum", "adagrad"])
def test_every_optimiser_trains_every_parameter(encoder: Encoder, optimiser: str) -> None:
    config = FitConfig.model_validate(
        {"optimiser": optimiser, "learning_rate": 0.01, "batch_size": 24, "epochs": 2}
    )
    fitted, _ = _fit(encoder, config=config)
    before = dict(encoder.module.named_parameters())
    for name, after in fitted.module.named_parameters():
        assert torch.isfinite(after).all()
        # Keys shift every attention score of a query alike, so their bias has no gradient.
        if not name.endswith("key.bias"):
            assert not torch.equal(after, before[name]), name


def test_dropout_is_what_the_config_says(encoder: Encoder) -> None:
    for share in (0.0, 0.3):
        fitted, _ = _fit(encoder, config=CONFIG.model_copy(update={"dropout": share, "epochs": 1}))
        held = [m.p for m in fitted.module.modules() if isinstance(m, torch.nn.Dropout)]
        assert set(held) == {share}


def test_biases_and_norms_do_not_decay(encoder: Encoder) -> None:
    groups = build_optimiser(FitModel(encoder.clone(), 3), FitConfig()).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0, 0.01]
    assert all(parameter.ndim == 1 for parameter in groups[1]["params"])
    assert [group["lr"] for group in groups] == [1e-4, 1e-4, 1e-3]


def test_a_loss_that_is_not_finite_stops_the_fit(encoder: Encoder) -> None:
    @dataclasses.dataclass(frozen=True)
    class Broken:
        def __call__(self, batch: FitBatch) -> torch.Tensor:
            return batch.logits.sum() * float("nan")

    with pytest.raises(NotFiniteError, match="nan"):
        fit_encoder(
            encoder, TEXTS, TARGETS, 3, config=CONFIG, seed=1, objectives=[CrossEntropy(), Broken()]
        )


@pytest.mark.parametrize(
    ("texts", "labels", "num_labels"),
    [([], [], 3), (["a"], [0, 1], 3), (["a"], [3], 3), (["a"], [-1], 3), (["a"], [0], 1)],
)
def test_labels_that_do_not_fit_are_refused(
    encoder: Encoder, texts: list[str], labels: list[int], num_labels: int
) -> None:
    with pytest.raises(ValueError, match="label"):
        fit_encoder(encoder, texts, labels, num_labels, config=CONFIG, seed=1)


def test_a_single_record_is_a_valid_fit(encoder: Encoder) -> None:
    fitted = fit_encoder(encoder, ["sales rose"], [2], 3, config=CONFIG, seed=1)
    assert fitted.report.optimiser_steps == 2
    assert np.isfinite(fitted.encoder.features(["sales rose"])).all()
