"""A folder has one owner at a time."""

import errno
import fcntl
from pathlib import Path

import pytest

from consumers.file_lock import try_lock
from model.errors import ConfigError


def test_a_file_is_locked_until_its_lock_is_closed(tmp_path: Path) -> None:
    first = try_lock(tmp_path / ".lock")
    assert first is not None
    assert try_lock(tmp_path / ".lock") is None
    first.close()
    again = try_lock(tmp_path / ".lock")
    assert again is not None
    again.close()


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ConfigError, match="cannot be locked: No locks available"):
        try_lock(tmp_path / ".lock")
