"""Features are carried to the next encoder by a map that its own pairs confirm."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from model.encoder import Features
from model.feature_map import MIN_PAIRS, PENALTIES, FeatureMap, fit_map


def unit(features: np.ndarray) -> Features:
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def pairs(count: int, dim: int = 6, *, noise: float = 0.2) -> tuple[Features, Features]:
    draw = np.random.default_rng(3)
    old = unit(draw.normal(size=(count, dim)))
    turn = np.eye(dim) + 0.5 * draw.normal(size=(dim, dim))
    return old, unit(old @ turn + noise * draw.normal(size=(count, dim)))


def test_penalty_and_map_are_those_of_leave_one_out_ridge_towards_the_identity() -> None:
    old, new = pairs(80)
    drift = new.astype(float) - old

    fitted = fit_map(old, new)

    assert fitted is not None
    errors = {}
    for penalty in PENALTIES:
        ridge = Ridge(alpha=penalty, fit_intercept=False)
        left_out = cross_val_predict(ridge, old.astype(float), drift, cv=LeaveOneOut())
        errors[penalty] = float(((left_out - drift) ** 2).sum(axis=1).mean())
    best = min(errors, key=errors.__getitem__)
    assert fitted.penalty == best
    assert fitted.error == pytest.approx(errors[best], rel=1e-6)
    ridge = Ridge(alpha=best, fit_intercept=False).fit(old.astype(float), drift)
    np.testing.assert_allclose(fitted.shift, ridge.coef_.T, atol=1e-6)


def test_mapped_features_have_unit_length_and_come_closer_to_the_new_ones() -> None:
    old, new = pairs(200)

    fitted = fit_map(old[:100], new[:100])

    assert fitted is not None
    moved = fitted(old[100:])
    assert moved.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, atol=1e-6)
    closer = np.linalg.norm(moved - new[100:], axis=1).mean()
    assert closer < 0.7 * np.linalg.norm(old[100:] - new[100:], axis=1).mean()


def test_an_encoder_that_did_not_change_maps_to_itself() -> None:
    old, _ = pairs(80)

    fitted = fit_map(old, old)

    assert fitted is not None
    np.testing.assert_allclose(fitted(old), old, atol=1e-6)


def test_a_handful_of_pairs_gives_no_map() -> None:
    old, new = pairs(MIN_PAIRS)

    assert fit_map(old[:-1], new[:-1]) is None
    assert isinstance(fit_map(old, new), FeatureMap)
