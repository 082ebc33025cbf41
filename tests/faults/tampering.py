"""Changes or cuts off a file of a version in the store, and makes it whole again."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.checker.evidence import Record


class Spoilt(NamedTuple):
    """A file that holds other bytes than it should."""

    file: Path
    data: bytes
    """What it held."""
    times: tuple[int, int]
    """When it was read and written last, in nanoseconds."""

    def mend(self) -> None:
        """Put back what it held, as if nothing had been."""
        self.file.write_bytes(self.data)
        os.utime(self.file, ns=self.times)


def spoil_newest(store: Path, versions: Sequence[Record], *, cut: bool) -> Spoilt | None:
    """Spoil the head of the version that was announced last; None where there is none.

    Args:
        store: its folder.
        versions: the records of `model-versions`.
        cut: whether it loses its second half, else one of its bits is turned.
    """
    if not versions:
        return None
    file = store / versions[-1].json["head"]["path"]
    held, stat = file.read_bytes(), file.stat()
    middle = len(held) // 2
    turned = held[:middle] + bytes([held[middle] ^ 1]) + held[middle + 1 :]
    file.write_bytes(held[:middle] if cut else turned)
    return Spoilt(file, held, (stat.st_atime_ns, stat.st_mtime_ns))
