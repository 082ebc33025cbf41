"""In what environment a round was learned: what its weights depend on beside its inputs.

It is written into every entry, so that whoever rebuilds a version can say what differs.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.base import Count


class Environment(BaseModel):
    """Where a round ran. Sums are cut up by threads and kernels, which decides their last bits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    """`cpu`, or `cuda` and the name of the card."""
    threads: Count
    """Of torch on the CPU."""
    blas_threads: Count
    """Of the library that numpy and scipy multiply with."""
    blas: str
    """That library, its version and its kernels."""
    processor: str
    """The machine's architecture and the widest instructions that torch uses."""
    precision: Literal["float32", "bfloat16"] | None = None
    """In which a fit multiplies matrices where its config leaves that to the hardware."""
    versions: Mapping[str, str]
    """Of Python and of the libraries that compute, by name."""


def differences(then: BaseModel, now: BaseModel) -> tuple[str, ...]:
    """What differs between two of one kind, one line each; nested fields by their path."""
    return tuple(_lines(then.model_dump(), now.model_dump(), within=""))


def _lines(then: Mapping[str, Any], now: Mapping[str, Any], *, within: str) -> Iterator[str]:
    for name in sorted(then.keys() | now.keys()):
        one, other = then.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _lines(one, other, within=f"{within}{name}.")
        elif one != other:
            yield f"{within}{name}: {one} then, {other} now"
