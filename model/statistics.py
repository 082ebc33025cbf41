"""The sufficient statistics of a task: all that its closed-form head needs to know of the records.

Counts and feature sums per label and one Gram matrix, all in float64. They add and subtract, so
windows, partitions and workers merge by addition and a record is forgotten by subtraction.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from model.errors import ArtifactRefusedError, NotFiniteError

FloatArray = NDArray[np.float64]

# What is left of a count after all of its records were subtracted again is rounding below this.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Immutable: every operation returns a new object. C labels, D features."""

    counts: FloatArray
    """(C,) records per label, weights included."""
    sums: FloatArray
    """(C, D) sum of the features of each label."""
    gram: FloatArray
    """(D, D) sum of x x^T over all records, not centred."""

    @classmethod
    def empty(cls, dim: int, num_labels: int = 0) -> Self:
        """The statistics of no records."""
        return cls(np.zeros(num_labels), np.zeros((num_labels, dim)), np.zeros((dim, dim)))

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        num_labels: int,
        weights: ArrayLike | None = None,
    ) -> Self:
        """Sum up a batch of records.

        A joint Gram matrix cannot be scaled per label afterwards, so reweighting to other class
        counts is done here, by a weight for each record.

        Args:
            features: (N, D), finite.
            labels: (N,) integers in [0, num_labels).
            num_labels: C.
            weights: (N,), finite, not negative; 1 where not given.

        Raises:
            NotFiniteError: a feature is not a finite number.
            ValueError: shapes do not fit, a label is out of range or a weight is not usable.
        """
        rows, indices, row_weights = _checked(features, labels, weights, num_labels)
        counts = np.bincount(indices, weights=row_weights, minlength=num_labels)
        sums = np.zeros((num_labels, rows.shape[1]))
        np.add.at(sums, indices, rows * row_weights[:, None])
        scaled = rows * np.sqrt(row_weights)[:, None]
        return cls(counts.astype(np.float64), sums, scaled.T @ scaled)

    @property
    def dim(self) -> int:
        """D, the number of features."""
        return int(self.gram.shape[0])

    @property
    def num_labels(self) -> int:
        """C, labels without records included."""
        return int(self.counts.shape[0])

    @property
    def num_records(self) -> float:
        """How many records are summed up, weights included."""
        return float(self.counts.sum())

    def add(self, features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Learn records; `of` says what they must be. Labels must lie below `num_labels`."""
        return self + self.of(features, labels, num_labels=self.num_labels, weights=weights)

    def subtract(
        self, features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
    ) -> Self:
        """Forget records that were added before; exact up to float64 rounding.

        Raises:
            ValueError: more records of a label are subtracted than there are.
        """
        return self - self.of(features, labels, num_labels=self.num_labels, weights=weights)

    def __add__(self, other: Self) -> Self:
        """Merge with the statistics of other records; the shorter label list is extended."""
        mine, theirs = self._aligned(other)
        return type(self)(
            mine.counts + theirs.counts, mine.sums + theirs.sums, mine.gram + theirs.gram
        )

    def __sub__(self, other: Self) -> Self:
        """Take the statistics of other records out again.

        Raises:
            ValueError: `other` holds more records of a label than this does.
        """
        mine, theirs = self._aligned(other)
        counts = mine.counts - theirs.counts
        gone = np.abs(counts) <= _ROUNDING * np.maximum(1.0, mine.counts)
        if np.any(counts[~gone] < 0):
            label = int(np.argmin(counts))
            raise ValueError(
                f"cannot subtract {theirs.counts[label]:g} records of label {label}: "
                f"there are {mine.counts[label]:g}"
            )
        counts = np.where(gone, 0.0, counts)
        # A label of which nothing is left keeps no trace, not even rounding.
        sums = np.where(gone[:, None], 0.0, mine.sums - theirs.sums)
        gram = np.zeros_like(mine.gram) if bool(gone.all()) else mine.gram - theirs.gram
        return type(self)(counts, sums, gram)

    def with_labels(self, num_labels: int) -> Self:
        """The same records with room for new labels at the end.

        Raises:
            ValueError: `num_labels` is less than there are.
        """
        grown = num_labels - self.num_labels
        if grown < 0:
            raise ValueError(f"labels only grow: there are {self.num_labels}, not {num_labels}")
        if grown == 0:
            return self
        counts = np.concatenate([self.counts, np.zeros(grown)])
        sums = np.concatenate([self.sums, np.zeros((grown, self.dim))])
        return type(self)(counts, sums, self.gram)

    def to_bytes(self) -> bytes:
        """As safetensors: 8 (C + C D + D (D + 1) / 2) bytes and a header of about 200.

        Only the upper half of the symmetric Gram matrix is stored: 0.6 MB for D = 384 and
        C = 3. Equal statistics give equal bytes.
        """
        upper = self.gram[np.triu_indices(self.dim)]
        tensors = {"counts": self.counts, "sums": self.sums, "gram_upper": upper}
        return bytes(safetensors.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what `to_bytes` wrote, bit by bit the same.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with or something else.
        """
        try:
            tensors = safetensors.load(raw)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ArtifactRefusedError(f"statistics: not safetensors: {error}") from error
        _refuse_unless_statistics(tensors)
        counts, sums, upper = (tensors[name].copy() for name in ("counts", "sums", "gram_upper"))
        gram = np.zeros((sums.shape[1], sums.shape[1]))
        gram[np.triu_indices(sums.shape[1])] = upper
        gram += np.triu(gram, 1).T
        return cls(counts, sums, gram)

    def _aligned(self, other: Self) -> tuple[Self, Self]:
        if self.dim != other.dim:
            raise ValueError(f"{self.dim} features do not add up with {other.dim}")
        num_labels = max(self.num_labels, other.num_labels)
        return self.with_labels(num_labels), other.with_labels(num_labels)


def _checked(
    features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None, num_labels: int
) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    rows = np.asarray(features, dtype=np.float64)
    indices = np.asarray(labels, dtype=np.int64)
    if rows.ndim != 2 or indices.shape != rows.shape[:1]:
        raise ValueError(
            f"features {rows.shape} and labels {indices.shape} do not fit (N, D), (N,)"
        )
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows).all(axis=1)).sum())
        raise NotFiniteError(f"{bad} of {len(rows)} records have features that are not finite")
    if len(indices) and not 0 <= indices.min() <= indices.max() < num_labels:
        raise ValueError(f"labels {indices.min()} to {indices.max()}, but there are {num_labels}")
    given = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != indices.shape or not np.isfinite(given).all() or np.any(given < 0):
        raise ValueError(f"weights {given.shape} must be {indices.shape}, finite and not negative")
    return rows, indices, given


def _refuse_unless_statistics(tensors: dict[str, NDArray[Any]]) -> None:
    if set(tensors) != {"counts", "sums", "gram_upper"}:
        raise ArtifactRefusedError(f"statistics: unexpected tensors {sorted(tensors)}")
    counts, sums, upper = (tensors[name] for name in ("counts", "sums", "gram_upper"))
    shapes = [counts.shape, sums.shape, upper.shape]
    dim = sums.shape[1] if sums.ndim == 2 else -1
    if shapes != [sums.shape[:1], (len(counts), dim), (dim * (dim + 1) // 2,)]:
        raise ArtifactRefusedError(f"statistics: shapes {shapes} do not fit together")
    if any(tensor.dtype != np.float64 for tensor in tensors.values()):
        raise ArtifactRefusedError("statistics: not float64")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()) or np.any(counts < 0):
        raise ArtifactRefusedError("statistics: not finite, or a negative count")
