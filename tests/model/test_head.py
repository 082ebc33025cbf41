import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from model.choice import choose_head
from model.closed_form import oas_shrinkage
from model.config import HeadConfig
from model.errors import ArtifactRefusedError
from model.head import (
    Form,
    LinearHead,
    solve_discriminant,
    solve_ridge,
)
from model.statistics import Statistics
from tests.model.blobs import DIM, blobs, stats_of


@pytest.mark.parametrize("shrinkage", [0.05, 0.1, 0.5, 1.0])
def test_the_discriminant_is_the_one_of_scikit_learn(shrinkage: float) -> None:
    features, labels = blobs(300)
    head = solve_discriminant(stats_of(features, labels), shrinkage=shrinkage)
    wide = features.astype(np.float64)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(wide, labels)
    logits, expected = head.logits(features), theirs.decision_function(wide)
    np.testing.assert_allclose(
        logits - logits.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=2e-4,
    )
    np.testing.assert_allclose(head.scores(features), theirs.predict_proba(wide), atol=1e-5)


@pytest.mark.parametrize("penalty", [0.1, 10.0, 1000.0])
def test_the_ridge_is_the_one_of_scikit_learn(penalty: float) -> None:
    features, labels = blobs(300)
    head = solve_ridge(stats_of(features, labels), penalty=penalty)
    wide = features.astype(np.float64)
    alpha = penalty * wide.var(axis=0).sum() / DIM
    theirs = Ridge(alpha=alpha).fit(wide, np.eye(4)[labels])
    np.testing.assert_allclose(head.logits(features), theirs.predict(wide), atol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_scale_of_the_features_does_not_matter(scale: float) -> None:
    features, labels = blobs(200)
    larger = features * np.float32(scale)
    plain, scaled = stats_of(features, labels), stats_of(larger, labels)
    np.testing.assert_allclose(
        solve_discriminant(scaled, shrinkage=0.1).logits(larger),
        solve_discriminant(plain, shrinkage=0.1).logits(features),
        atol=2e-3,
    )
    np.testing.assert_allclose(
        solve_ridge(scaled, penalty=3.0).logits(larger),
        solve_ridge(plain, penalty=3.0).logits(features),
        atol=2e-5,
    )


def test_balanced_priors_take_the_class_sizes_out_of_the_bias() -> None:
    features, labels = blobs(300)
    stats = stats_of(features, labels)
    observed = solve_discriminant(stats, shrinkage=0.1)
    balanced = solve_discriminant(stats, shrinkage=0.1, prior="balanced")
    np.testing.assert_allclose(
        observed.bias - balanced.bias, np.log(4 * stats.counts / stats.num_records), atol=1e-4
    )


@pytest.mark.parametrize("form", ["discriminant", "ridge"])
def test_a_label_without_records_never_wins_whatever_the_text(form: Form) -> None:
    features, labels = blobs(100)
    stats = stats_of(features, labels).with_labels(6)
    head = (
        solve_discriminant(stats, shrinkage=0.0)
        if form == "discriminant"
        else solve_ridge(stats, penalty=1.0)
    )
    far = np.random.default_rng(3).normal(size=(2000, DIM)) * np.logspace(-2, 6, 2000)[:, None]
    assert head.predict(far).max() < 4
    assert np.isfinite(head.logits(far)).all()
    assert head.scores(features)[:, 4:].max() == 0.0


@pytest.mark.parametrize("form", ["discriminant", "ridge"])
def test_one_label_alone_is_always_predicted(form: Form) -> None:
    features, _ = blobs(20)
    stats = stats_of(features, np.full(20, 2))
    config = HeadConfig(form=form)
    head = choose_head(stats, features, np.full(20, 2), config=config)
    assert set(head.predict(features * 100)) == {2}
    np.testing.assert_allclose(head.scores(features)[:, 2], 1.0)


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 5])
def test_hardly_any_records_never_crash(size: int, shrinkage: float) -> None:
    features, labels = blobs(size)
    stats = stats_of(features, labels)
    for head in (solve_discriminant(stats, shrinkage=shrinkage), solve_ridge(stats, penalty=1e-6)):
        assert np.isfinite(head.scores(features)).all()
        assert (stats.counts[head.predict(features)] > 0).all()


def test_one_record_of_each_label_makes_a_nearest_mean_classifier() -> None:
    features, _ = blobs(4)
    head = solve_discriminant(stats_of(features, np.arange(4)), shrinkage=0.1)
    others = blobs(200, seed=5)[0]
    nearest = ((others[:, None] - features[None]) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(head.predict(others), nearest)


def test_the_same_text_over_and_over_gives_a_finite_head() -> None:
    features = np.ones((30, DIM), np.float32) * 0.3
    stats = stats_of(features, np.arange(30) % 3)
    for head in (solve_discriminant(stats, shrinkage=0.1), solve_ridge(stats, penalty=1.0)):
        scores = head.scores(features)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores[:, :3], 1 / 3, atol=1e-3)


def test_subtracting_a_mislabelled_window_restores_the_head() -> None:
    features, labels = blobs(300)
    wrong = blobs(100, seed=8)[0], np.zeros(100, int)
    clean = solve_discriminant(stats_of(features, labels), shrinkage=0.1)
    healed = stats_of(features, labels).add(*wrong).subtract(*wrong)
    np.testing.assert_allclose(
        solve_discriminant(healed, shrinkage=0.1).weight, clean.weight, atol=1e-5
    )


def test_a_head_comes_back_from_its_bytes() -> None:
    features, labels = blobs(100)
    head = choose_head(stats_of(features, labels), features, labels, config=HeadConfig())
    back = LinearHead.from_bytes(head.to_bytes())
    np.testing.assert_array_equal(back.scores(features), head.scores(features))
    assert (back.form, back.penalty, back.num_labels) == (head.form, head.penalty, 4)
    assert back.to_bytes() == head.to_bytes()


def test_bytes_that_are_no_head_are_refused() -> None:
    features, labels = blobs(100)
    raw = solve_ridge(stats_of(features, labels), penalty=1.0).to_bytes()
    for bad in (b"", raw[:-1], b"{}" * 50, stats_of(features, labels).to_bytes()):
        with pytest.raises(ArtifactRefusedError):
            LinearHead.from_bytes(bad)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1])
def test_settings_out_of_range_are_refused(shrinkage: float) -> None:
    with pytest.raises(ValueError, match="shrinkage"):
        solve_discriminant(stats_of(*blobs(9)), shrinkage=shrinkage)
    with pytest.raises(ValueError, match="penalty"):
        solve_ridge(stats_of(*blobs(9)), penalty=0.0)
    with pytest.raises(ValueError, match="no labels"):
        solve_ridge(Statistics.empty(DIM), penalty=1.0)


def test_the_estimated_shrinkage_is_the_one_of_scikit_learn() -> None:
    features, labels = blobs(120)
    stats = stats_of(features, labels)
    # scikit-learn estimates around zero with N records: centre each label by its mean, and say so
    # with as many records as there are degrees of freedom, which leaves the covariance as it is.
    centred = np.asarray(features, dtype=np.float64)
    for label in np.unique(labels):
        centred[labels == label] -= centred[labels == label].mean(axis=0)
    freedom = len(labels) - len(np.unique(labels))
    spread = np.sqrt(np.linalg.eigvalsh(centred.T @ centred / freedom).clip(min=0))
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(freedom, DIM)))[0]
    rows = basis * spread * np.sqrt(freedom)
    theirs = OAS(assume_centered=True).fit(rows).shrinkage_
    assert oas_shrinkage(stats) == pytest.approx(theirs, rel=0.05)  # it drops the terms in 2 / D


def test_without_two_records_of_a_label_all_is_shrunk() -> None:
    features, _ = blobs(4)
    assert oas_shrinkage(stats_of(features, np.arange(4))) == 1.0


def test_a_prior_by_name_moves_the_bias_by_its_logarithm() -> None:
    features, labels = blobs(300)
    stats = stats_of(features, labels).with_labels(5)
    names = ("a", "b", "c", "d", "e")
    none = np.zeros((0, DIM)), np.zeros(0, int)
    shares = {"a": 0.5, "b": 0.2, "c": 0.2, "d": 0.1}
    given = choose_head(stats, *none, config=HeadConfig(prior=shares), labels=names)
    equal = choose_head(stats, *none, config=HeadConfig(prior="balanced"), labels=names)
    moved = given.bias[:4] - equal.bias[:4]
    np.testing.assert_allclose(moved, np.log(4 * np.array(list(shares.values()))), atol=1e-4)
    assert given.predict(features).max() < 4


def test_a_label_without_a_given_share_keeps_the_observed_one() -> None:
    features, labels = blobs(300)
    stats = stats_of(features, labels)
    none = np.zeros((0, DIM)), np.zeros(0, int)
    observed = dict(zip("abcd", stats.counts / stats.num_records, strict=True))
    some = choose_head(
        stats, *none, config=HeadConfig(prior={"b": observed["b"]}), labels=tuple("abcd")
    )
    plain = choose_head(stats, *none, config=HeadConfig(), labels=tuple("abcd"))
    np.testing.assert_allclose(some.bias, plain.bias, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, -1.0, float("inf"), float("nan")])
def test_a_prior_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValidationError):
        HeadConfig(prior={"a": share})
    with pytest.raises(ValueError, match="prior"):
        solve_discriminant(
            stats_of(*blobs(20)), shrinkage=0.1, prior=np.array([share, 1.0, 1.0, 1.0])
        )
