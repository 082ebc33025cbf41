"""Form, penalty and temperature of a head are chosen on selection records."""

import numpy as np
import pytest

from model.choice import Choice, choose_head
from model.config import HeadConfig
from model.statistics import Statistics
from model.temperature import fit_temperature
from tests.model.blobs import DIM, blobs, stats_of


def test_the_temperature_that_made_the_labels_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(5, p=row) for row in probabilities])
    assert fit_temperature(logits * 7, labels) == pytest.approx(7, rel=0.06)


def test_records_that_are_all_right_do_not_make_for_certainty() -> None:
    logits = np.zeros((40, 3))
    logits[:, 1] = 1.0
    temperature = fit_temperature(logits, np.ones(40, int))
    best = 1 / (1 + 2 * np.exp(-1 / temperature))
    assert 0.9 < best < 0.99


def test_with_few_selection_records_the_defaults_stay() -> None:
    features, labels = blobs(400)
    stats = stats_of(features, labels)
    config = HeadConfig(shrinkage=0.2)
    chosen = blobs(99, seed=1)
    head = choose_head(stats, *chosen, config=config, incumbent=Choice("ridge", 30.0))
    assert (head.form, head.penalty) == ("discriminant", 0.2)
    assert head.temperature != 1.0
    untold = choose_head(stats, np.zeros((0, DIM)), np.zeros(0, int), config=config)
    assert untold.temperature == 1.0
    forced = choose_head(stats, *chosen, config=HeadConfig(form="ridge", penalty=5.0))
    assert (forced.form, forced.penalty) == ("ridge", 5.0)


def test_what_is_fixed_in_the_config_is_not_chosen() -> None:
    features, labels = blobs(400)
    stats, chosen = stats_of(features, labels), blobs(300, seed=1)
    held = Choice("discriminant", 0.3)
    for config in (
        HeadConfig(choose=False, shrinkage=0.9),
        HeadConfig(choose=False, form="ridge", penalty=7.0),
    ):
        head = choose_head(stats, *chosen, config=config, incumbent=held)
        assert head.penalty in (0.9, 7.0)
        assert head.temperature != 1.0


def test_projected_features_take_over_where_the_boundary_bends() -> None:
    # The label is the sign of a product of two features: no linear head on plain features can tell.
    rng = np.random.default_rng(4)
    features = rng.normal(size=(3000, DIM)).astype(np.float32)
    labels = (features[:, 0] * features[:, 1] > 0).astype(int)
    stats = Statistics.of(features[:2500], labels[:2500], num_labels=2, projected=200)
    selection = features[2500:], labels[2500:]
    head = choose_head(stats, *selection, config=HeadConfig())
    assert head.projected == 200
    assert (head.predict(features[2500:]) == labels[2500:]).mean() > 0.8
    plain = choose_head(stats, *selection, config=HeadConfig(features="plain"))
    assert plain.projected == 0


def test_the_default_is_projected_once_the_width_is_paid_for_with_records() -> None:
    features, labels = blobs(400)
    nothing = np.zeros((0, DIM)), np.zeros(0, int)
    for size, projected in ((1.5 * (DIM + 200) - 1, 0), (1.5 * (DIM + 200), 200)):
        some = Statistics.of(
            features[: int(size)], labels[: int(size)], num_labels=4, projected=200
        )
        assert choose_head(some, *nothing, config=HeadConfig()).projected == projected
        plain = choose_head(some, *nothing, config=HeadConfig(features="plain"))
        assert plain.projected == 0


def test_the_incumbent_stays_where_nothing_is_clearly_better() -> None:
    features, labels = blobs(3000, spread=0.5)
    stats = stats_of(features, labels)
    held = Choice("ridge", 30.0)
    head = choose_head(stats, *blobs(300, spread=0.5, seed=1), config=HeadConfig(), incumbent=held)
    assert Choice.of(head) == held


def test_selection_records_of_labels_without_learned_records_do_not_spoil_the_temperature() -> None:
    features, labels = blobs(400)
    stats = stats_of(features, labels).with_labels(5)
    chosen, truth = blobs(150, seed=2)
    clean = choose_head(stats, chosen, truth, config=HeadConfig())
    both = np.concatenate([chosen, chosen[:20]]), np.concatenate([truth, np.full(20, 4)])
    assert choose_head(stats, *both, config=HeadConfig()).temperature == clean.temperature
