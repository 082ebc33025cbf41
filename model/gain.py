"""What a refresh gained on records that no fit has seen."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Gain:
    """Answers of champion and candidate on the same records."""

    records: int
    wrong: int
    """Answers that the champion had wrong."""
    gained: int
    """Of these, those that the candidate has right."""
    lost: int
    """Answers that the champion had right and the candidate has wrong."""

    @classmethod
    def between(cls, champion_right: NDArray[np.bool_], candidate_right: NDArray[np.bool_]) -> Self:
        """Count paired outcomes (N,)."""
        before, after = champion_right, candidate_right
        return cls(
            records=len(before),
            wrong=int(np.sum(~before)),
            gained=int(np.sum(after & ~before)),
            lost=int(np.sum(before & ~after)),
        )

    @property
    def net(self) -> int:
        """Answers gained less those lost."""
        return self.gained - self.lost

    @property
    def error(self) -> float:
        """Standard error of `net` where both are equally good: the root of what differs."""
        return math.sqrt(self.gained + self.lost)

    @property
    def share(self) -> float:
        """Share of the champion's errors that is gone; negative where there are more."""
        return self.net / self.wrong if self.wrong else 0.0

    @property
    def proven(self) -> bool:
        """More than one standard error above nothing."""
        return self.net > self.error

    @property
    def lossy(self) -> bool:
        """More than one standard error below nothing."""
        return -self.net > self.error

    def __add__(self, other: "Gain") -> "Gain":
        """The gain on the records of both."""
        return Gain(
            self.records + other.records,
            self.wrong + other.wrong,
            self.gained + other.gained,
            self.lost + other.lost,
        )

    def __str__(self) -> str:
        return (
            f"{self.net:+d} answers of {self.records}, {self.share:+.0%} of {self.wrong} errors, "
            f"standard error {self.error:.1f}"
        )


NOTHING = Gain(0, 0, 0, 0)
"""Where nothing was compared."""
