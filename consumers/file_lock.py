"""Keeps a folder to one process, by a lock on a file in it."""

import fcntl
from pathlib import Path
from typing import IO


def held(file: Path) -> IO[str] | None:
    """Make the file if it is missing and hold it; None where another process holds it.

    It is held until what is returned is closed, or the process ends, however that comes.
    """
    lock = file.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
