"""The sufficient statistics of a task: all that its closed-form head needs to know of the records.

Counts and feature sums per label and one Gram matrix, all in float64. They add and subtract, so
windows, partitions and workers merge by addition and a record is forgotten by subtraction. Scaled
as a whole they forget gradually.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from model.errors import ArtifactRefusedError, NotFiniteError
from model.projection import projection_of, refuse_another

FloatArray = NDArray[np.float64]

# What is left of a count after all of its records were subtracted again is rounding below this.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Immutable: every operation returns a new object.

    C labels, D features, W = D + P columns: the features, and their projection where P is not 0.
    What is added or subtracted are plain features (N, D); they are expanded here.
    """

    counts: FloatArray
    """(C,) records per label, weights included."""
    sums: FloatArray
    """(C, W) sum of the features of each label."""
    gram: FloatArray
    """(W, W) sum of x x^T over all records, not centred."""
    projected: int = 0
    """P, how many of the columns are the random projection of the others; the last ones."""
    clock: float = 0.0
    """Half-lives that have passed: a record learned at clock c counts `2^(c - clock)`."""

    @classmethod
    def empty(
        cls, dim: int, num_labels: int = 0, *, projected: int = 0, clock: float = 0.0
    ) -> Self:
        """The statistics of no records."""
        width = dim + projected
        sums = np.zeros((num_labels, width))
        return cls(np.zeros(num_labels), sums, np.zeros((width, width)), projected, clock)

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        num_labels: int,
        weights: ArrayLike | None = None,
        projected: int = 0,
        clock: float = 0.0,
    ) -> Self:
        """Sum up a batch of records.

        A joint Gram matrix cannot be scaled per label afterwards, so reweighting to other class
        counts is done here, by a weight for each record.

        Args:
            features: (N, D), finite.
            labels: (N,) integers in [0, num_labels).
            num_labels: C.
            weights: (N,), finite, not negative; 1 where not given.
            projected: P.
            clock: when the records count as much as their weights say.

        Raises:
            NotFiniteError: a feature is not a finite number.
            ValueError: shapes do not fit, a label is out of range or a weight is not usable.
        """
        rows, indices, row_weights = _checked(features, labels, weights, num_labels)
        projection = projection_of(rows.shape[1], projected)
        rows = projection.expand(rows) if projection else rows
        counts = np.bincount(indices, weights=row_weights, minlength=num_labels)
        sums = np.zeros((num_labels, rows.shape[1]))
        np.add.at(sums, indices, rows * row_weights[:, None])
        scaled = rows * np.sqrt(row_weights)[:, None]
        gram = scaled.T @ scaled
        return cls(counts.astype(np.float64), sums, gram, projected, clock)

    @property
    def dim(self) -> int:
        """D, the number of plain features."""
        return self.width - self.projected

    @property
    def width(self) -> int:
        """W, the number of columns."""
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
        return self + self._of_mine(features, labels, weights)

    def subtract(
        self, features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None
    ) -> Self:
        """Forget records that were added before; exact up to float64 rounding.

        Raises:
            ValueError: more records of a label are subtracted than there are.
        """
        return self - self._of_mine(features, labels, weights)

    def __add__(self, other: Self) -> Self:
        """Merge with the statistics of other records.

        The shorter label list is extended, and what has the earlier clock decays to the later.
        """
        mine, theirs = self._aligned(other)
        return replace(
            mine,
            counts=mine.counts + theirs.counts,
            sums=mine.sums + theirs.sums,
            gram=mine.gram + theirs.gram,
        )

    def __sub__(self, other: Self) -> Self:
        """Take the statistics of other records out again.

        Raises:
            ValueError: `other` holds more records of a label than this does.
        """
        mine, theirs = self._aligned(other)
        counts = mine.counts - theirs.counts
        # Only where any were taken: a label that has decayed to as little is not gone.
        small = np.abs(counts) <= _ROUNDING * np.maximum(1.0, mine.counts)
        gone = (theirs.counts > 0) & small
        if np.any(counts[~gone] < 0):
            label = int(np.argmin(counts))
            raise ValueError(
                f"cannot subtract {theirs.counts[label]:g} records of label {label}: "
                f"there are {mine.counts[label]:g}"
            )
        counts = np.where(gone, 0.0, counts)
        # A label of which nothing is left keeps no trace, not even rounding.
        sums = np.where(gone[:, None], 0.0, mine.sums - theirs.sums)
        gram = mine.gram - theirs.gram if counts.any() else np.zeros_like(mine.gram)
        return replace(mine, counts=counts, sums=sums, gram=gram)

    def decayed(self, clock: float) -> Self:
        """The same records at a later clock: each counts `2^-(half-lives since)` as much.

        The weight of a record is that of forward decay (Cormode et al. 2009, section 3), so that it
        is known whatever has come in since, and can be subtracted. An earlier clock changes
        nothing.
        """
        if clock <= self.clock:
            return self
        kept = float(2.0 ** (self.clock - clock))
        return replace(
            self,
            counts=self.counts * kept,
            sums=self.sums * kept,
            gram=self.gram * kept,
            clock=clock,
        )

    def plain(self) -> Self:
        """The statistics of the plain features alone: the leading block."""
        if not self.projected:
            return self
        dim = self.dim
        return replace(self, sums=self.sums[:, :dim], gram=self.gram[:dim, :dim], projected=0)

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
        sums = np.concatenate([self.sums, np.zeros((grown, self.width))])
        return replace(self, counts=counts, sums=sums)

    def to_bytes(self) -> bytes:
        """As safetensors: 8 (C + C W + W (W + 1) / 2) bytes and some 300 more.

        Only the upper half of the symmetric Gram matrix is stored: for D = 384 and C = 3 0.6 MB,
        with P = 1024 8.0 MB. Equal statistics give equal bytes.
        """
        upper = self.gram[np.triu_indices(self.width)]
        tensors = {"counts": self.counts, "sums": self.sums, "gram_upper": upper}
        if self.clock:
            tensors["clock"] = np.array([self.clock])
        if projection := projection_of(self.dim, self.projected):
            tensors["projected"] = np.array([float(self.projected)])
            tensors["projection"] = np.frombuffer(bytes.fromhex(projection.digest), np.uint8)
        return bytes(safetensors.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what `to_bytes` wrote, bit by bit the same.

        Raises:
            ArtifactRefusedError: it is truncated, tampered with, something else, or made with
                another projection.
        """
        try:
            tensors = safetensors.load(raw)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise ArtifactRefusedError(f"statistics: not safetensors: {error}") from error
        digest = tensors.pop("projection", np.zeros(0, np.uint8)).tobytes().hex()
        _refuse_unless_statistics(tensors)
        projected = int(tensors["projected"][0]) if "projected" in tensors else 0
        clock = float(tensors["clock"][0]) if "clock" in tensors else 0.0
        refuse_another(projection_of(tensors["sums"].shape[1] - projected, projected), digest)
        counts, sums, upper = (tensors[name].copy() for name in ("counts", "sums", "gram_upper"))
        gram = np.zeros((sums.shape[1], sums.shape[1]))
        gram[np.triu_indices(sums.shape[1])] = upper
        gram += np.triu(gram, 1).T
        return cls(counts, sums, gram, projected, clock)

    def _of_mine(self, features: ArrayLike, labels: ArrayLike, weights: ArrayLike | None) -> Self:
        return self.of(
            features,
            labels,
            num_labels=self.num_labels,
            weights=weights,
            projected=self.projected,
            clock=self.clock,
        )

    def _aligned(self, other: Self) -> tuple[Self, Self]:
        if (self.dim, self.projected) != (other.dim, other.projected):
            raise ValueError(
                f"{self.dim} features with {self.projected} projected do not add up with "
                f"{other.dim} with {other.projected}"
            )
        num_labels, clock = max(self.num_labels, other.num_labels), max(self.clock, other.clock)
        mine, theirs = self.with_labels(num_labels), other.with_labels(num_labels)
        return mine.decayed(clock), theirs.decayed(clock)


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
    if set(tensors) - {"projected", "clock"} != {"counts", "sums", "gram_upper"}:
        raise ArtifactRefusedError(f"statistics: unexpected tensors {sorted(tensors)}")
    counts, sums, upper = (tensors[name] for name in ("counts", "sums", "gram_upper"))
    shapes = [counts.shape, sums.shape, upper.shape]
    dim = sums.shape[1] if sums.ndim == 2 else -1
    if shapes != [sums.shape[:1], (len(counts), dim), (dim * (dim + 1) // 2,)]:
        raise ArtifactRefusedError(f"statistics: shapes {shapes} do not fit together")
    if any(tensor.dtype != np.float64 for tensor in tensors.values()):
        raise ArtifactRefusedError("statistics: not float64")
    if any(tensors[name].shape != (1,) for name in {"projected", "clock"} & set(tensors)):
        raise ArtifactRefusedError("statistics: the clock or the projection is not one number")
    if not 0 <= float(tensors.get("projected", np.zeros(1))[0]) < max(dim, 1):
        raise ArtifactRefusedError("statistics: the projection leaves no plain features")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()) or np.any(counts < 0):
        raise ArtifactRefusedError("statistics: not finite, or a negative count")
