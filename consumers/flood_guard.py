"""The guard that keeps a bad deploy from draining a topic into dead letters."""

from collections import deque
from collections.abc import Iterable

from consumers.batches import Place
from model.errors import StopError


class FloodError(StopError):
    """Too many of the latest records are bad."""


class FloodGuard:
    """Counts bad records: their share among the latest ones, and those in a row of one partition.

    The share tells of a producer that is broken; the row tells it sooner, and also where good
    records of other partitions hide it.

    Args:
        ratio: largest share of bad records, in (0, 1].
        records: how many of the latest are looked at; fewer never count as a flood.
        in_a_row: most bad records one after the other in one partition; 0 is no limit.
    """

    def __init__(self, ratio: float, records: int, *, in_a_row: int) -> None:
        self._ratio, self._records, self._in_a_row = ratio, records, in_a_row
        self._seen = 0
        self._bad: deque[int] = deque()
        """Of the latest records, the numbers of those that were bad."""
        self._rows: dict[Place, int] = {}
        """Bad records since the last good one."""

    def saw_bad(self, place: Place, *, why: str) -> None:
        """Take note of one bad record.

        Args:
            place: its partition.
            why: what was wrong with it; the error names the latest.

        Raises:
            FloodError: over `ratio` of the last `records` records were bad, or more than
                `in_a_row` of this partition one after the other.
        """
        self._seen += 1
        self._bad.append(self._seen)
        self._rows[place] = self._rows.get(place, 0) + 1
        self._check_row(place, why)
        self._check_share(why)

    def saw_good(self, place: Place, count: int) -> None:
        """Take note of so many good records in a row."""
        if count:
            self._seen += count
            self._rows.pop(place, None)

    def read_again(self, places: Iterable[Place]) -> None:
        """Forget the rows of partitions that begin anew: their records come a second time."""
        for place in places:
            self._rows.pop(place, None)

    def _check_row(self, place: Place, why: str) -> None:
        number = self._rows[place]
        if 0 < self._in_a_row < number:
            topic, partition = place
            raise FloodError(
                f"{number} records in a row of {topic}/{partition} are bad, more than "
                f"flood_in_a_row = {self._in_a_row} allows. {_advice(why)}"
            )

    def _check_share(self, why: str) -> None:
        while self._bad[0] <= self._seen - self._records:
            self._bad.popleft()
        if self._seen >= self._records and len(self._bad) > self._ratio * self._records:
            raise FloodError(
                f"{len(self._bad)} of the last {self._records} records are bad, more than "
                f"flood_ratio = {self._ratio:g} allows. {_advice(why)}"
            )


def _advice(why: str) -> str:
    return (
        f"A producer is likely broken; the latest fault: {why}. Nothing more is sent to dead "
        "letters. Mend the producer, see `freshet dead-letters list` for what was refused, then "
        "start this role again with FRESHET_FLOOD_IN_A_ROW=0 and FRESHET_FLOOD_RATIO=1 until the "
        "bad stretch is passed"
    )
