"""The random projection: fixed for ever, and heads on it are those of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from model.errors import ArtifactRefusedError
from model.head import LinearHead, solve_discriminant, solve_ridge
from model.projection import Projection, projection_of
from model.statistics import Statistics

DIM, SIZE, NUM_LABELS = 6, 20, 3


def batch(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, NUM_LABELS, size)
    features = rng.normal(size=(size, DIM)) + 0.5 * labels[:, None]
    return features.astype(np.float32), labels


def projected(size: int = 200) -> Statistics:
    return Statistics.of(*batch(size), num_labels=NUM_LABELS, projected=SIZE)


def expanded(features: np.ndarray) -> np.ndarray:
    matrix = Projection.drawn(DIM, SIZE).matrix.astype(np.float64)
    wide = features.astype(np.float64)
    return np.hstack([wide, np.sqrt(2 / SIZE) * np.maximum(wide @ matrix, 0)])


def test_the_draw_never_changes() -> None:
    assert Projection.drawn(384, 1024).digest == (
        "d7c14b9869d69771e8429a80a4d75904c789f00946217e234c1bc9a746c3f179"
    )


def test_the_draw_is_standard_normal_and_another_for_other_widths() -> None:
    matrix = Projection.drawn(200, 500).matrix.astype(np.float64)
    assert abs(matrix.mean()) < 0.01
    assert abs(matrix.std() - 1) < 0.01
    assert abs((matrix**4).mean() - 3) < 0.1
    assert Projection.drawn(500, 200).digest != Projection.drawn(200, 500).digest


def test_the_added_part_is_as_long_as_the_features_on_average() -> None:
    features = batch(50)[0]
    added = Projection.drawn(DIM, 5000).expand(features)[:, DIM:]
    lengths = np.linalg.norm(features, axis=1)
    np.testing.assert_allclose(np.linalg.norm(added, axis=1), lengths, rtol=0.1)


def test_without_a_width_there_is_no_projection() -> None:
    assert projection_of(DIM, 0) is None
    with pytest.raises(ValueError, match="at least 1"):
        Projection.drawn(DIM, 0)


def test_statistics_hold_those_of_the_plain_features_as_their_leading_block() -> None:
    features, labels = batch(80)
    whole = Statistics.of(features, labels, num_labels=NUM_LABELS, projected=SIZE)
    plain = Statistics.of(features, labels, num_labels=NUM_LABELS)
    assert (whole.dim, whole.width, whole.plain().projected) == (DIM, DIM + SIZE, 0)
    for name in ("counts", "sums", "gram"):
        np.testing.assert_allclose(getattr(whole.plain(), name), getattr(plain, name), atol=1e-10)
    with pytest.raises(ValueError, match="do not add up"):
        _ = whole + plain


@pytest.mark.parametrize("shrinkage", [0.03, 0.3, 0.9])
def test_the_projected_discriminant_is_the_one_of_scikit_learn(shrinkage: float) -> None:
    features, labels = batch(200)
    head = solve_discriminant(projected(), shrinkage=shrinkage)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    expected = theirs.fit(expanded(features), labels).predict_proba(expanded(features))
    assert head.projected == SIZE
    np.testing.assert_allclose(head.scores(features), expected, atol=1e-5)


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_the_projected_ridge_is_the_one_of_scikit_learn(penalty: float) -> None:
    features, labels = batch(200)
    wide = expanded(features)
    alpha = penalty * wide.var(axis=0).sum() / (DIM + SIZE)
    theirs = Ridge(alpha=alpha).fit(wide, np.eye(NUM_LABELS)[labels])
    head = solve_ridge(projected(), penalty=penalty)
    np.testing.assert_allclose(head.logits(features), theirs.predict(wide), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 60), max_size=4),
    order=st.permutations(range(60)),
    extra=st.integers(0, 30),
    width=st.sampled_from([0, SIZE]),
)
def test_any_order_split_and_detour_gives_the_head_of_all_at_once(
    cuts: list[int], order: list[int], extra: int, width: int
) -> None:
    features, labels = batch(60)
    other = batch(extra, seed=1)
    whole = Statistics.of(features, labels, num_labels=NUM_LABELS, projected=width)
    parts = [
        Statistics.of(features[piece], labels[piece], num_labels=NUM_LABELS, projected=width)
        for piece in np.split(np.array(order), sorted(cuts))
    ]
    detour = Statistics.empty(DIM, NUM_LABELS, projected=width).add(*other)
    merged = sum(parts[::-1], detour).subtract(*other)
    for solved, direct in (
        (solve_discriminant(merged, shrinkage=0.1), solve_discriminant(whole, shrinkage=0.1)),
        (solve_ridge(merged, penalty=10.0), solve_ridge(whole, penalty=10.0)),
    ):
        np.testing.assert_allclose(solved.scores(features), direct.scores(features), atol=1e-4)


def test_bytes_bring_statistics_and_head_back() -> None:
    stats = projected()
    back = Statistics.from_bytes(stats.to_bytes())
    assert (back.projected, back.dim) == (SIZE, DIM)
    np.testing.assert_array_equal(back.gram, stats.gram)
    head = solve_ridge(stats, penalty=10.0)
    again = LinearHead.from_bytes(head.to_bytes())
    np.testing.assert_array_equal(again.scores(batch(9)[0]), head.scores(batch(9)[0]))
    assert again.to_bytes() == head.to_bytes()


def test_what_was_made_with_another_draw_is_refused() -> None:
    stats, other = projected(), np.zeros(32, np.uint8)
    for raw, read in (
        (stats.to_bytes(), Statistics.from_bytes),
        (solve_ridge(stats, penalty=10.0).to_bytes(), LinearHead.from_bytes),
    ):
        changed = safetensors.load(raw) | {"projection": other}
        with pytest.raises(ArtifactRefusedError, match="projection"):
            read(safetensors.save(changed))


@pytest.mark.parametrize("width", [-1.0, 1e9, float(DIM + SIZE), float("nan")])
def test_a_projection_that_leaves_no_plain_features_is_refused(width: float) -> None:
    stats = projected()
    changed = safetensors.load(stats.to_bytes()) | {"projected": np.array([width])}
    with pytest.raises(ArtifactRefusedError):
        Statistics.from_bytes(safetensors.save(changed))


def test_files_from_before_there_was_a_projection_are_read() -> None:
    features, labels = batch(50)
    stats = Statistics.of(features, labels, num_labels=NUM_LABELS)
    upper = stats.gram[np.triu_indices(DIM)]
    held = safetensors.save({"counts": stats.counts, "sums": stats.sums, "gram_upper": upper})
    assert Statistics.from_bytes(held).projected == 0
    head = solve_ridge(stats, penalty=10.0)
    values = np.array([head.temperature, 1.0, head.penalty])
    old = safetensors.save({"weight": head.weight, "bias": head.bias, "settings": values})
    back = LinearHead.from_bytes(old)
    assert (back.form, back.projected) == ("ridge", 0)
    np.testing.assert_array_equal(back.scores(features), head.scores(features))
