"""The classifier's head: solved in closed form from the statistics, then chosen and calibrated."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from model import closed_form
from model.config import HeadConfig
from model.errors import ArtifactRefusedError, NotFiniteError
from model.statistics import FloatArray, Statistics

Form = Literal["discriminant", "ridge", "softmax"]
"""Solved in closed form, or `softmax`: trained beside the encoder by a fit."""

SHRINKAGES = (0.03, 0.1, 0.3, 0.6, 0.9)
PENALTIES = (1.0, 10.0, 30.0, 100.0, 300.0)
"""What `choose_head` tries, beside the configured defaults."""

MIN_TEMPERATURE_RECORDS = 30
"""Below these many selection records no temperature is fitted."""
DEFAULT_TEMPERATURE: dict[Form, float] = {"discriminant": 1.0, "ridge": 0.1, "softmax": 1.0}
"""Without a fit: a discriminant's logits are log posteriors already; a ridge's estimate
probabilities, between 0 and 1, which a softmax at temperature 1 would flatten."""

_TEMPERATURES = (1e-3, 1e3)
_FORMS: tuple[Form, ...] = ("discriminant", "ridge", "softmax")


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """Logits are `features @ weight.T + bias`; scores their softmax at a temperature."""

    weight: NDArray[np.float32]
    """(C, D)."""
    bias: NDArray[np.float32]
    """(C,)."""
    temperature: float
    form: Form
    penalty: float
    """Shrinkage of the discriminant, penalty of the ridge, 0 of a trained head."""

    @property
    def num_labels(self) -> int:
        """C, labels without records included."""
        return int(self.bias.shape[0])

    def logits(self, features: ArrayLike) -> FloatArray:
        """(N, D) to (N, C), in float64: what the graph computes, free of its rounding."""
        rows = np.asarray(features, dtype=np.float64)
        logits: FloatArray = rows @ self.weight.astype(np.float64).T + self.bias
        return logits

    def scores(self, features: ArrayLike) -> FloatArray:
        """(N, D) to (N, C); rows sum to one."""
        probabilities: FloatArray = softmax(self.logits(features) / self.temperature, axis=1)
        return probabilities

    def predict(self, features: ArrayLike) -> NDArray[np.int64]:
        """(N, D) to (N,), the index of the best label; the first of equals."""
        best: NDArray[np.int64] = self.logits(features).argmax(axis=1)
        return best

    def to_bytes(self) -> bytes:
        """As safetensors; equal heads give equal bytes."""
        # Scalars travel as a tensor: safetensors' metadata has no stable order.
        settings = np.array([self.temperature, _FORMS.index(self.form), self.penalty])
        tensors = {"weight": self.weight, "bias": self.bias, "settings": settings}
        return bytes(safetensors.save(tensors))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what `to_bytes` wrote, bit by bit the same.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with or something else.
        """
        try:
            tensors = safetensors.load(raw)
            weight, bias = tensors["weight"].copy(), tensors["bias"].copy()
            temperature, form, penalty = tensors["settings"].tolist()
            head = cls(weight, bias, temperature, _FORMS[int(form)], penalty)
        except (SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            raise ArtifactRefusedError(f"not a head: {error!r}") from error
        fits = weight.ndim == 2 and bias.shape == weight.shape[:1]
        if not fits or {weight.dtype, bias.dtype} != {np.dtype(np.float32)} or temperature <= 0:
            raise ArtifactRefusedError("not a head: shapes, types or temperature do not fit")
        if not all(np.isfinite(values).all() for values in tensors.values()):
            raise ArtifactRefusedError("not a head: a number is not finite")
        return head


def solve_discriminant(
    stats: Statistics, *, shrinkage: float, prior: Literal["observed", "balanced"] = "observed"
) -> LinearHead:
    """Solve a shrunk linear discriminant; `closed_form.discriminant` has the equations.

    Raises:
        NotFiniteError: the solution is not finite in float32.
        ValueError: there are no labels or `shrinkage` is outside [0, 1].
    """
    weight, bias = closed_form.discriminant(stats, shrinkage=shrinkage, prior=prior)
    return _head(weight, bias, form="discriminant", penalty=shrinkage)


def solve_ridge(stats: Statistics, *, penalty: float) -> LinearHead:
    """Solve ridge regression on one-hot targets; `closed_form.ridge` has the equations.

    Raises:
        NotFiniteError: the solution is not finite in float32.
        ValueError: there are no labels or `penalty` is not positive.
    """
    weight, bias = closed_form.ridge(stats, penalty=penalty)
    return _head(weight, bias, form="ridge", penalty=penalty)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature of least log loss (Guo et al. 2017, section 4.2), in [0.001, 1000].

    Our deviation: the best other label of each record counts as true with weight 1 / (N + 2)
    (after Platt 1999), so that N records that are all right do not make for certainty.

    Args:
        logits: (N, C), C at least 2.
        labels: (N,) the true labels.
    """
    rows, truth = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    every = np.arange(len(truth))
    others = rows.copy()
    others[every, truth] = -np.inf
    rival, doubt = others.argmax(axis=1), 1.0 / (len(truth) + 2)

    def log_loss(log_temperature: float) -> float:
        log_scores = log_softmax(rows / np.exp(log_temperature), axis=1)
        likely = (1 - doubt) * log_scores[every, truth] + doubt * log_scores[every, rival]
        return -float(likely.mean())

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(log_loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def choose_head(
    stats: Statistics,
    selection_features: ArrayLike,
    selection_labels: ArrayLike,
    *,
    config: HeadConfig,
    incumbent: tuple[Form, float] | None = None,
) -> LinearHead:
    """Solve the head of the form and penalty that selection records prefer, and calibrate it.

    Below `min_selection_records` form and penalty are the configured defaults. From there on the
    best of a small grid (`SHRINKAGES`, `PENALTIES`) takes over from the incumbent (the parent's,
    else the default) only when its accuracy is higher by more than one standard error of the paired
    difference. The temperature is fitted on the same records, those of labels that have learned
    records; with fewer than 30 of these it stays at `DEFAULT_TEMPERATURE`.

    Args:
        stats: what the head is solved from.
        selection_features: (N, D), never learned and never used to judge; N may be 0.
        selection_labels: (N,).
        config: defaults, and which forms are allowed.
        incumbent: form and penalty of the parent's head.
    """
    features = np.asarray(selection_features, dtype=np.float64).reshape(-1, stats.dim)
    labels = np.asarray(selection_labels, dtype=np.int64)
    default = _default(config, stats)
    if len(labels) < config.min_selection_records:
        return _calibrated(_solve(stats, *default, config=config), stats, features, labels)
    # An estimated default moves with the statistics: only a choice from the grid is kept.
    held = incumbent if incumbent in set(_grid(config)) else default
    best = _solve(stats, *held, config=config)
    held_right = best_right = best.predict(features) == labels
    for form, penalty in _grid(config):
        head = _solve(stats, form, penalty, config=config)
        right = head.predict(features) == labels
        if right.sum() > best_right.sum() and _beyond_one_error(right, held_right):
            best, best_right = head, right
    return _calibrated(best, stats, features, labels)


def _head(weight: FloatArray, bias: FloatArray, *, form: Form, penalty: float) -> LinearHead:
    single_weight, single_bias = weight.astype(np.float32), bias.astype(np.float32)
    if not (np.isfinite(single_weight).all() and np.isfinite(single_bias).all()):
        raise NotFiniteError(f"the {form} head has weights that are not finite")
    return LinearHead(single_weight, single_bias, DEFAULT_TEMPERATURE[form], form, penalty)


def _solve(stats: Statistics, form: Form, penalty: float, *, config: HeadConfig) -> LinearHead:
    if form == "ridge":
        return solve_ridge(stats, penalty=penalty)
    return solve_discriminant(stats, shrinkage=penalty, prior=config.prior)


def _default(config: HeadConfig, stats: Statistics) -> tuple[Form, float]:
    if config.form == "ridge":
        return "ridge", config.penalty
    if config.shrinkage == "oas":
        return "discriminant", closed_form.oas_shrinkage(stats)
    return "discriminant", config.shrinkage


def _grid(config: HeadConfig) -> Iterator[tuple[Form, float]]:
    if config.form in ("auto", "discriminant"):
        yield from (("discriminant", value) for value in SHRINKAGES)
    if config.form in ("auto", "ridge"):
        yield from (("ridge", value) for value in PENALTIES)


def _beyond_one_error(right: NDArray[np.bool_], held_right: NDArray[np.bool_]) -> bool:
    difference = right.astype(np.float64) - held_right
    return bool(difference.mean() > difference.std() / np.sqrt(len(difference)))


def _calibrated(
    head: LinearHead, stats: Statistics, features: FloatArray, labels: NDArray[np.int64]
) -> LinearHead:
    live = np.flatnonzero(stats.counts > 0)
    known = np.isin(labels, live)
    if len(live) < 2 or known.sum() < MIN_TEMPERATURE_RECORDS:
        return head
    logits = head.logits(features[known])[:, live]
    return replace(head, temperature=fit_temperature(logits, np.searchsorted(live, labels[known])))
