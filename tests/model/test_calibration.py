import numpy as np
import pytest
from sklearn.metrics import log_loss

from model.calibration import LEAST_SCORE, LogLosses, log_loss_of_each
from model.config import GateConfig

CONFIG = GateConfig()


def test_the_mean_is_the_log_loss_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([5.0, 5.0, 5.0], size=200)
    labels = rng.integers(0, 3, size=200)
    assert scores.min() > LEAST_SCORE
    mean = log_loss_of_each(scores, labels).mean()
    assert mean == pytest.approx(log_loss(labels, scores, labels=[0, 1, 2]))


def test_one_certain_error_costs_no_more_than_the_least_score_allows() -> None:
    assert log_loss_of_each([[1.0, 0.0]], [1]) == pytest.approx(-np.log(LEAST_SCORE))


def losses(num_records: int, rise: float) -> LogLosses:
    rng = np.random.default_rng(1)
    champion = rng.exponential(0.4, num_records)
    return LogLosses(champion, champion + rise + rng.normal(0, 0.2, num_records))


def test_a_rise_proven_to_be_over_the_limit_is_a_fault_with_its_numbers() -> None:
    fault = losses(200, 0.3).fault(CONFIG)
    assert fault is not None
    assert fault.startswith("worse calibrated, log loss")
    assert "n=200" in fault
    assert "where 0.100 may" in fault


@pytest.mark.parametrize(("num_records", "rise"), [(200, 0.0), (200, 0.1), (29, 3.0), (0, 0.0)])
def test_a_rise_within_the_limit_or_on_few_records_is_none(num_records: int, rise: float) -> None:
    assert losses(num_records, rise).fault(CONFIG) is None
