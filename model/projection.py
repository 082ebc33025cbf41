"""A fixed random layer beside the features, so that a linear head can bend its boundaries.

The draw depends on its two widths alone, so statistics and heads name it by these and a digest.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from model.errors import ArtifactRefusedError

_SEED = 0x46726573686574
_HELD = 8


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Random ReLU features beside plain ones (RanPAC, McDonnell et al. 2023, section 4.1).

    Features x (D,) become `[x, sqrt(2 / P) relu(x R)]` (D + P,) with R (D, P) standard normal.
    Our deviation: x stays beside its projection, so that the statistics of the whole hold those of
    x as their leading block; and the factor makes the new part as long as x is, on average.
    """

    matrix: NDArray[np.float16]
    """R (D, P), of half precision so that a served head carries 2 D P bytes of it."""
    digest: str
    """SHA-256 of the matrix."""

    @classmethod
    def drawn(cls, dim: int, size: int) -> Self:
        """The projection of these widths: D, then P. One for ever: see `_draw`.

        Raises:
            ValueError: a width is less than 1.
        """
        if dim < 1 or size < 1:
            raise ValueError(f"a projection from {dim} to {size} features: both must be at least 1")
        matrix = _draw(dim, size)
        return cls(matrix, hashlib.sha256(matrix.tobytes()).hexdigest())

    @property
    def size(self) -> int:
        """P, the number of features that are added."""
        return int(self.matrix.shape[1])

    @property
    def scale(self) -> float:
        """The factor of the added features."""
        return float(np.sqrt(2.0 / self.size))

    def expand(self, features: ArrayLike) -> NDArray[np.float64]:
        """(N, D) to (N, D + P), in float64."""
        rows = np.asarray(features, dtype=np.float64)
        added = np.maximum(rows @ self.matrix.astype(np.float64), 0.0) * self.scale
        return np.concatenate([rows, added], axis=1)


@lru_cache(maxsize=_HELD)
def projection_of(dim: int, size: int) -> Projection | None:
    """The projection from D to P features, kept between calls; None where P is 0."""
    return Projection.drawn(dim, size) if size else None


def refuse_another(projection: Projection | None, digest: str) -> None:
    """Refuse what was made with another draw than this machine's.

    Raises:
        ArtifactRefusedError: the digests differ.
    """
    held = projection.digest if projection else ""
    if held != digest:
        raise ArtifactRefusedError(f"made with projection {digest or 'none'}, not {held or 'none'}")


def _draw(dim: int, size: int) -> NDArray[np.float16]:
    """Standard normal numbers from the raw bits of Philox, which no release of numpy changes.

    NumPy's own normal numbers may change with a release (NEP 19). Rounding to half precision takes
    what another `ndtri` may do to the last bits.
    """
    bits = np.random.Philox(key=_SEED, counter=[0, 0, dim, size]).random_raw(dim * size)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    drawn: NDArray[np.float16] = ndtri(uniform).reshape(dim, size).astype(np.float16)
    return drawn
