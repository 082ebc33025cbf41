"""The newest version with a damaged file, and how it is made whole again as if nothing had been."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.checker.evidence import Record
from tests.faults.tampering import damage, mend


class Spoilt(NamedTuple):
    """A file that holds other bytes than it should."""

    file: Path
    held: bytes
    """What it should hold."""
    times: tuple[int, int]
    """When it was read and written last, in nanoseconds."""

    def mend(self) -> None:
        """Put back what it held, and when it was written: the checker looks at both."""
        mend(self.file, self.held)
        os.utime(self.file, ns=self.times)


def spoil_newest(store: Path, versions: Sequence[Record], *, cut: bool) -> Spoilt | None:
    """Damage the head of the version that was announced last; None where there is none.

    Args:
        store: its folder.
        versions: the records of `model-versions`.
        cut: whether it loses its second half, else one of its bits is turned over.
    """
    if not versions:
        return None
    file = store / versions[-1].json["head"]["path"]
    stat = file.stat()
    held = damage(file, "truncate" if cut else "flip")
    return Spoilt(file, held, (stat.st_atime_ns, stat.st_mtime_ns))
