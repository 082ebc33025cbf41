"""What a refresh gained, as far as the judge records can tell."""

import math
from dataclasses import dataclass

from schemas.evaluation import Comparison


@dataclass(frozen=True, slots=True)
class Gain:
    """Answers of champion and candidate on the same judge records."""

    records: int
    wrong: int
    """Answers that the champion had wrong."""
    gained: int
    """Of these, those that the candidate has right."""
    lost: int
    """Answers that the champion had right and the candidate has wrong."""

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


def gain_of(seen: Comparison) -> Gain:
    """The counts behind a comparison; all 0 where nothing was compared."""
    n, flips = seen.num_records, seen.negative_flip_rate
    if not n or seen.champion is None or seen.candidate is None or flips is None:
        return Gain(0, 0, 0, 0)
    lost = round(flips * n)
    net = round((seen.candidate - seen.champion) * n)
    return Gain(records=n, wrong=n - round(seen.champion * n), gained=net + lost, lost=lost)
