"""The lines of `freshet models show` that say how well a round's candidate answers."""

from collections.abc import Callable

from schemas.evaluation import EvaluationEvent, Transfer
from schemas.metrics import ClassificationMetrics

CONFUSIONS = 5
"""Confusions that are named."""


def figures(found: EvaluationEvent) -> list[tuple[str, str]]:
    """Name and value of each line; champion > candidate where both were measured."""
    candidate = found.candidate_metrics

    def line(value: Callable[[ClassificationMetrics], float | None]) -> str:
        both = (found.champion_metrics, candidate)
        return " > ".join(_number(value(held)) for held in both if held is not None) or "-"

    return [
        ("macro F1", line(lambda held: held.macro_f1)),
        ("ROC AUC", line(lambda held: held.roc_auc)),
        ("calibration error", line(lambda held: held.calibration_error)),
        ("log loss", line(lambda held: held.log_loss)),
        ("negative flips", _number(candidate.negative_flip_rate if candidate else None)),
        ("over rounds", _transfer(found.transfer)),
        ("worst confusions", "\n".join(worst_confusions(candidate)) if candidate else "-"),
    ]


def _transfer(found: Transfer | None) -> str:
    """Over the rounds whose held-out records are measured apart."""
    if found is None:
        return "-"
    return (
        f"average accuracy {found.average_accuracy:.3f} of {len(found.windows)}, forgetting "
        f"{found.forgetting:.3f}, transfer backward {found.backward_transfer:+.3f}, forward "
        f"{found.forward_transfer:.3f}"
    )


def worst_confusions(metrics: ClassificationMetrics) -> list[str]:
    """The wrong answers that are given most often, most often first."""
    wrong = [cell for cell in metrics.confusion if cell[0] != cell[1]]
    wrong.sort(key=lambda cell: -cell[2])
    return [
        f"{metrics.classes[true].label} taken for {metrics.classes[answer].label}: {count} of "
        f"{metrics.classes[true].num_records}"
        for true, answer, count in wrong[:CONFUSIONS]
    ] or ["none"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
