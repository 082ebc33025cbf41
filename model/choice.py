"""Chooses form, features and penalty of a head on selection records, and calibrates it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.closed_form import Prior, oas_shrinkage, shares_of
from model.config import HeadConfig
from model.head import Form, LinearHead, solve_discriminant, solve_ridge
from model.projection import projection_of
from model.statistics import FloatArray, Statistics
from model.temperature import fit_temperature, log_losses

SHRINKAGES = (0.03, 0.1, 0.3, 0.6, 0.9)
PENALTIES = (30.0, 100.0, 300.0)
"""What `choose_head` tries, beside the configured defaults."""

LEAST_SHRINKAGE = 0.3
"""Of the default discriminant. The estimate (OAS) makes the covariance exact, and falls towards 0
as records come in; but the noise of the class means goes through its inverse, and an encoder that
was tuned on these records makes them look closer than new ones are."""

RECORDS_PER_FEATURE = 1.5
"""From so many records to a feature the default is projected. With 160 to 400 records on 1,408
features that cost 0.3 to 4 points on four of five streams, with 1,600 about 0.3; with 2,400, on
tuned encoders, it gained 0.4 on average."""

MIN_TEMPERATURE_RECORDS = 30
"""Below these many selection records no temperature is fitted."""


class Choice(NamedTuple):
    """What is to be decided about a head before it is solved."""

    form: Form
    penalty: float
    """Shrinkage of the discriminant, penalty of the ridge."""
    projected: bool = False

    @classmethod
    def of(cls, head: LinearHead) -> "Choice":
        """How a head was solved."""
        return cls(head.form, head.penalty, head.projected > 0)


def choose_head(
    stats: Statistics,
    selection_features: ArrayLike,
    selection_labels: ArrayLike,
    *,
    config: HeadConfig,
    labels: Sequence[str] = (),
    incumbent: Choice | None = None,
) -> LinearHead:
    """Solve the head that selection records prefer, at the temperature that they prefer.

    Candidates are compared by their log loss, each at its own temperature: it moves with every
    record, where accuracy moves with the few between two labels, and the best accuracy of many
    candidates is mostly luck. The best of a small grid (`SHRINKAGES`, `PENALTIES`, plain and
    projected) takes over from the incumbent (the parent's, else the default) where its loss is
    lower by more than one standard error of the paired difference.

    Below `min_selection_records`, or where nothing is to be chosen, the configured default stays.
    Records of labels without learned records say nothing, and are left out; with fewer than 30 of
    the others the temperature stays at its default too. Under another prior than the observed one,
    each record weighs as its label does under that prior.

    Args:
        stats: what the head is solved from.
        selection_features: (N, D), never learned and never used to judge; N may be 0.
        selection_labels: (N,).
        config: defaults, and what is allowed.
        labels: names of the columns (C,), where class priors are given by name.
        incumbent: how the parent's head was solved.
    """
    default = _default(config, stats)
    solver = _Solver(stats, _prior(config, stats, labels))
    selection = _Selection.of(stats, selection_features, selection_labels, prior=solver.prior)
    if len(selection) < MIN_TEMPERATURE_RECORDS or len(selection.live) < 2:
        return solver(default)
    if not config.choose or len(selection) < config.min_selection_records:
        return selection.calibrated(solver(default))
    grid = list(_grid(config, stats))
    held = selection.calibrated(solver(_held(incumbent, default, grid)))
    heads = [selection.calibrated(solver(choice)) for choice in grid if choice != Choice.of(held)]
    best = min(heads, key=lambda head: float(selection.losses(head).mean()), default=held)
    gains = selection.losses(held) - selection.losses(best)
    return best if gains.mean() > gains.std() / np.sqrt(len(gains)) else held


class _Solver:
    """Solves choices from one set of statistics."""

    def __init__(self, stats: Statistics, prior: Prior) -> None:
        self._whole, self._plain = stats, stats.plain()
        self.prior = prior

    def __call__(self, choice: Choice) -> LinearHead:
        stats = self._whole if choice.projected else self._plain
        if choice.form == "ridge":
            return solve_ridge(stats, penalty=choice.penalty)
        return solve_discriminant(stats, shrinkage=choice.penalty, prior=self.prior)


@dataclass(frozen=True, slots=True)
class _Selection:
    """The selection records of labels that have learned ones, and what heads say to them."""

    rows: FloatArray
    """(N, W), expanded once for all heads."""
    truth: NDArray[np.int64]
    """(N,), indices into `live`."""
    weights: FloatArray
    """(N,), 1 on average."""
    live: NDArray[np.int64]

    @classmethod
    def of(
        cls, stats: Statistics, features: ArrayLike, labels: ArrayLike, *, prior: Prior
    ) -> "_Selection":
        """Leave out what says nothing, and weigh the rest as the prior does."""
        plain = np.asarray(features, dtype=np.float64).reshape(-1, stats.dim)
        indices, live = np.asarray(labels, dtype=np.int64), np.flatnonzero(stats.counts > 0)
        known = np.isin(indices, live)
        projection = projection_of(stats.dim, stats.projected)
        rows = projection.expand(plain[known]) if projection else plain[known]
        truth = np.searchsorted(live, indices[known])
        weights = np.ones(len(truth))
        if not isinstance(prior, str) or prior != "observed":
            held = np.bincount(truth, minlength=len(live)).clip(min=1)
            weights = (shares_of(stats, prior)[live] / held)[truth]
            weights = weights / weights.mean() if len(weights) else weights
        return cls(rows, truth, weights, live)

    def __len__(self) -> int:
        return len(self.truth)

    def calibrated(self, head: LinearHead) -> LinearHead:
        """The head at the temperature that these records prefer."""
        return replace(
            head, temperature=fit_temperature(self._logits(head), self.truth, self.weights)
        )

    def losses(self, head: LinearHead) -> FloatArray:
        """(N,), weighted."""
        return self.weights * log_losses(
            self._logits(head), self.truth, temperature=head.temperature
        )

    def _logits(self, head: LinearHead) -> FloatArray:
        weight, bias = head.weight[self.live].astype(np.float64), head.bias[self.live]
        logits: FloatArray = self.rows[:, : weight.shape[1]] @ weight.T + bias
        return logits


def _held(incumbent: Choice | None, default: Choice, grid: Sequence[Choice]) -> Choice:
    """What a better one must beat: the incumbent where it was chosen, else the default.

    The default moves with the statistics, so an incumbent that is one of its kind gives way to it.
    """
    if incumbent is None or incumbent not in grid:
        return default
    return default if incumbent[:2] == default[:2] else incumbent


def _default(config: HeadConfig, stats: Statistics) -> Choice:
    projected = _projects(config, stats)
    if config.form == "ridge":
        return Choice("ridge", config.penalty, projected)
    if isinstance(config.shrinkage, float):
        return Choice("discriminant", config.shrinkage, projected)
    estimated = oas_shrinkage(stats if projected else stats.plain())
    least = LEAST_SHRINKAGE if config.shrinkage == "auto" else 0.0
    return Choice("discriminant", max(least, estimated), projected)


def _projects(config: HeadConfig, stats: Statistics) -> bool:
    """Whether the default is projected: the width must be paid for with records."""
    enough = stats.num_records >= RECORDS_PER_FEATURE * stats.width
    wanted = config.features == "projected" or (config.features == "auto" and enough)
    return stats.projected > 0 and wanted


def _grid(config: HeadConfig, stats: Statistics) -> Iterator[Choice]:
    both = [False, True] if stats.projected else [False]
    allowed = both if config.features == "auto" else [_projects(config, stats)]
    for projected in allowed:
        if config.form != "ridge":
            yield from (Choice("discriminant", value, projected) for value in SHRINKAGES)
        if config.form in ("auto", "ridge"):
            yield from (Choice("ridge", value, projected) for value in PENALTIES)


def _prior(config: HeadConfig, stats: Statistics, labels: Sequence[str]) -> Prior:
    """The configured class priors; a label that a mapping does not name has its observed share."""
    if not isinstance(config.prior, Mapping):
        return config.prior
    observed = stats.counts / max(stats.num_records, 1.0)
    named = zip(labels, observed, strict=True)
    return np.array([config.prior.get(label, share) for label, share in named])
