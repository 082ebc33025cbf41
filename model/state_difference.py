"""In what the files behind two entries differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import numpy as safetensors

from model.errors import ArtifactRefusedError
from model.lineage_entry import LineageEntry
from model.store import Store
from schemas.model_version import Artifact

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class FileDifference:
    """One part of two versions, or of the states behind them."""

    name: str
    then: str
    """Digest; empty where there is none."""
    now: str
    serves: bool
    """Whether the version answers with it."""
    largest: float | None = None
    """Largest difference of a number; infinite where shapes differ, None where it is not known."""

    @property
    def equal(self) -> bool:
        """Whether they are the same bytes."""
        return self.then == self.now


def files_between(
    recorded: LineageEntry, made: LineageEntry, *, then: Store, now: Store
) -> Iterator[FileDifference]:
    """Head and encoder, and those files of the state that differ.

    Args:
        recorded: one entry.
        made: the other.
        then: the store with the files of `recorded`.
        now: that with those of `made`.
    """
    one, other = recorded.files, made.files
    yield FileDifference(
        "head",
        recorded.version.head.sha256 if recorded.version else "",
        made.version.head.sha256 if made.version else "",
        serves=True,
        largest=_largest(one.head if one else None, other.head if other else None, then, now),
    )
    yield FileDifference(
        "encoder",
        recorded.encoder.digest if recorded.encoder else "",
        made.encoder.digest if made.encoder else "",
        serves=True,
        largest=_largest(_weights(recorded), _weights(made), then, now),
    )
    for name in ("statistics", "journal", "holdout", "replay"):
        held, again = (_digest(getattr(files, name, None)) for files in (one, other))
        if held != again:
            yield FileDifference(name, held, again, serves=False)


def _digest(artifact: Artifact | None) -> str:
    return artifact.sha256 if artifact else ""


def _weights(entry: LineageEntry) -> Artifact | None:
    return entry.encoder.files.get(WEIGHTS) if entry.encoder else None


def _largest(one: Artifact | None, other: Artifact | None, then: Store, now: Store) -> float | None:
    if one is None or other is None:
        return None
    if one.sha256 == other.sha256:
        return 0.0
    try:
        return largest_difference(
            safetensors.load(then.fetch(one)), safetensors.load(now.fetch(other))
        )
    except ArtifactRefusedError:  # pruned: the digests say that they differ
        return None


def largest_difference(
    one: Mapping[str, NDArray[np.generic]], other: Mapping[str, NDArray[np.generic]]
) -> float:
    """Largest difference of a number between tensors of one name; infinite where shapes differ."""
    shapes = [{name: tensor.shape for name, tensor in held.items()} for held in (one, other)]
    if shapes[0] != shapes[1]:
        return float("inf")
    return max(
        float(np.abs(one[name].astype(np.float64) - other[name].astype(np.float64)).max(initial=0))
        for name in one
    )
