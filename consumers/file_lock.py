"""Keeps a folder to one owner, by a lock on a file in it."""

import fcntl
from pathlib import Path
from typing import IO

from model.errors import ConfigError


def try_lock(file: Path) -> IO[str] | None:
    """Lock a file, which is made if it is missing; None where it is locked already.

    The lock lasts until what is returned is closed, or the process ends, however that comes.

    Raises:
        ConfigError: its file system knows no locks.
    """
    lock = file.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    except OSError as error:
        lock.close()
        msg = f"{file} cannot be locked: {error.strerror}; choose a folder on another disk"
        raise ConfigError(msg) from error
    return lock
