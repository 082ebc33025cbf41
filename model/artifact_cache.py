"""A folder of this machine in front of the store, so that a restart does not fetch again."""

import os
import uuid
from contextlib import suppress
from pathlib import Path

from model.artifacts import ArtifactReader, verify
from model.errors import ArtifactRefusedError
from schemas.model_version import Artifact


class CachedArtifacts:
    """A reader that keeps what it fetched in a folder, by digest; several processes may share it.

    Files are renamed into place and verified again on every read, so a damaged one is fetched anew.
    The least recently used are removed when the folder passes `max_bytes`. A folder that cannot be
    written costs the cache, not the artifact.
    """

    def __init__(self, store: ArtifactReader, folder: Path, *, max_bytes: int = 4 * 2**30) -> None:
        self._store = store
        self._folder = folder.expanduser()
        self._max_bytes = max_bytes

    def fetch(self, artifact: Artifact) -> bytes:
        """The bytes from the folder, else from the store, proven either way."""
        held = self._folder / artifact.sha256
        try:
            data = held.read_bytes()
            verify(artifact, data)
            os.utime(held)
        except (OSError, ArtifactRefusedError):
            data = self._store.fetch(artifact)
            self._keep(held, data)
        return data

    def _keep(self, held: Path, data: bytes) -> None:
        aside = held.with_name(f"{held.name}.{uuid.uuid4().hex}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(data)
            aside.replace(held)
            self._prune(keep=held)
        except OSError:
            with suppress(OSError):
                aside.unlink()

    def _prune(self, *, keep: Path) -> None:
        files = sorted(
            ((file.stat(), file) for file in self._folder.iterdir()),
            key=lambda pair: pair[0].st_mtime,
        )
        total = sum(stat.st_size for stat, _ in files)
        for stat, file in files:
            if total <= self._max_bytes:
                return
            if file != keep:
                file.unlink(missing_ok=True)
                total -= stat.st_size
