"""The classifier's head: solved in closed form from the statistics, or trained in a fit."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors
from scipy.special import softmax

from model import closed_form
from model.closed_form import Prior
from model.errors import ArtifactRefusedError, NotFiniteError
from model.projection import Projection, projection_of, refuse_another
from model.statistics import FloatArray, Statistics

Form = Literal["discriminant", "ridge", "softmax"]
"""Solved in closed form, or `softmax`: trained beside the encoder by a fit."""

DEFAULT_TEMPERATURE: dict[Form, float] = {"discriminant": 1.0, "ridge": 0.1, "softmax": 1.0}
"""Without a fit: a discriminant's logits are log posteriors already, and so are a trained head's; a
ridge's estimate probabilities, between 0 and 1, which a softmax at temperature 1 would flatten."""

_FORMS: tuple[Form, ...] = ("discriminant", "ridge", "softmax")
_NONE = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """Logits are `features @ weight.T + bias`; scores their softmax at a temperature.

    Features are plain ones (N, D); a projected head expands them to its W = D + P columns itself.
    """

    weight: NDArray[np.float32]
    """(C, W)."""
    bias: NDArray[np.float32]
    """(C,)."""
    temperature: float
    form: Form
    penalty: float
    """Shrinkage of the discriminant, penalty of the ridge, nothing for a trained head."""
    projected: int = 0
    """P, how many of the columns are the random projection of the features; the last ones."""

    @property
    def num_labels(self) -> int:
        """C, labels without records included."""
        return int(self.bias.shape[0])

    @property
    def projection(self) -> Projection | None:
        """What expands the features, or None for a head on plain ones."""
        return projection_of(self.weight.shape[1] - self.projected, self.projected)

    def logits(self, features: ArrayLike) -> FloatArray:
        """(N, D) to (N, C), in float64: what the graph computes, free of its rounding."""
        projection, rows = self.projection, np.asarray(features, dtype=np.float64)
        rows = projection.expand(rows) if projection else rows
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
        if projection := self.projection:
            tensors["projected"] = np.array([self.projected])
            tensors["projection"] = np.frombuffer(bytes.fromhex(projection.digest), np.uint8)
        return bytes(safetensors.save(tensors))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what `to_bytes` wrote, bit by bit the same.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with, something else, or made with
                another projection.
        """
        try:
            tensors = safetensors.load(raw)
            weight, bias = tensors["weight"].copy(), tensors["bias"].copy()
            temperature, form, penalty = tensors["settings"].tolist()
            projected = int(tensors["projected"].item()) if "projected" in tensors else 0
            head = cls(weight, bias, temperature, _FORMS[int(form)], penalty, projected)
        except (SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
            raise ArtifactRefusedError(f"not a head: {error!r}") from error
        fits = weight.ndim == 2 and bias.shape == weight.shape[:1]
        if not fits or {weight.dtype, bias.dtype} != {np.dtype(np.float32)} or temperature <= 0:
            raise ArtifactRefusedError("not a head: shapes, types or temperature do not fit")
        if not all(np.isfinite(values).all() for values in tensors.values()):
            raise ArtifactRefusedError("not a head: a number is not finite")
        if not 0 <= projected < max(weight.shape[1], 1):
            raise ArtifactRefusedError("not a head: the projection leaves no plain features")
        refuse_another(head.projection, tensors.get("projection", _NONE).tobytes().hex())
        return head


def solve_discriminant(
    stats: Statistics, *, shrinkage: float, prior: Prior = "observed"
) -> LinearHead:
    """Solve a shrunk linear discriminant; `closed_form.discriminant` has the equations.

    The head is projected where the statistics are.

    Raises:
        NotFiniteError: the solution is not finite in float32.
        ValueError: there are no labels or `shrinkage` is outside [0, 1].
    """
    weight, bias = closed_form.discriminant(stats, shrinkage=shrinkage, prior=prior)
    return _head(stats, weight, bias, form="discriminant", penalty=shrinkage)


def solve_ridge(stats: Statistics, *, penalty: float) -> LinearHead:
    """Solve ridge regression on one-hot targets; `closed_form.ridge` has the equations.

    Raises:
        NotFiniteError: the solution is not finite in float32.
        ValueError: there are no labels or `penalty` is not positive.
    """
    weight, bias = closed_form.ridge(stats, penalty=penalty)
    return _head(stats, weight, bias, form="ridge", penalty=penalty)


def _head(
    stats: Statistics, weight: FloatArray, bias: FloatArray, *, form: Form, penalty: float
) -> LinearHead:
    single_weight, single_bias = weight.astype(np.float32), bias.astype(np.float32)
    if not (np.isfinite(single_weight).all() and np.isfinite(single_bias).all()):
        raise NotFiniteError(f"the {form} head has weights that are not finite")
    temperature = DEFAULT_TEMPERATURE[form]
    return LinearHead(single_weight, single_bias, temperature, form, penalty, stats.projected)
