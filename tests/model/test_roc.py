import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, roc_auc_score, roc_curve

from model.roc import areas, curve


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive in rows}) == 2
    )
)
def test_an_area_is_that_of_scikit_learn_also_with_ties(rows: list[tuple[int, bool]]) -> None:
    score = np.array([value / 5 for value, _ in rows])
    positive = np.array([flag for _, flag in rows])

    found = areas(np.stack([1 - score, score], axis=1), positive.astype(np.int64))

    assert found.tolist() == pytest.approx([roc_auc_score(positive, score)] * 2)


def test_an_area_needs_records_on_both_sides() -> None:
    found = areas(np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), np.array([0, 0]))

    assert np.isnan(found).all()


def test_a_thinned_curve_keeps_its_ends_and_its_area() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(3000) < 0.3
    score = rng.normal(size=3000) + positive

    points = curve(score, positive, num_points=40)

    assert len(points) <= 40
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    x, y, _ = roc_curve(positive, score)
    assert auc(*zip(*points, strict=True)) == pytest.approx(auc(x, y), abs=0.002)


def test_a_short_curve_is_kept_as_it_is() -> None:
    points = curve(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]), num_points=40)

    assert points == ((0.0, 0.0), (0.0, 0.5), (1.0, 0.5), (1.0, 1.0))
