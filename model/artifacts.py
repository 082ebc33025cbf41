"""The object store that holds every version: a local folder, S3, GCS or Azure, by its URI.

A name is either absent or whole. On a local folder each put is staged beside, synced to disk,
renamed into place and its folders synced, so that what `put` and `create` returned survives a power
failure and no reader ever meets half a file; the cloud stores promise as much by themselves.
"""

import hashlib
import os
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import obstore
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import ObjectStore, from_url

from model.errors import (
    ArtifactRefusedError,
    ConfigError,
    NotFoundError,
)
from model.store_faults import faults, first_line, write_faults
from schemas.model_version import ARTIFACT_PATH, Artifact

MAX_ARTIFACT_BYTES = 8 * 2**30
"""Larger artifacts are refused before a byte of them is read."""
LEFT_OVER_SECONDS = 24 * 3600.0
"""Older files that wait to be renamed have nobody left to do it: a put takes seconds."""

_STAGING = ".staging"  # no artifact path starts with a dot, so it is never listed
_CONNECT_SECONDS, _REQUEST_SECONDS, _RETRIES = 5, 120, 4


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as the store lists it."""

    path: str
    size_bytes: int
    modified: datetime
    """When it was written last, aware, by the store's clock."""


class ArtifactReader(Protocol):
    """Where verified artifacts come from: the store itself or a cache before it."""

    def fetch(self, artifact: Artifact) -> bytes:
        """The bytes, proven to be those that the artifact names.

        Raises:
            ArtifactRefusedError: it is missing, too large, or its size or digest differ.
            StoreUnavailableError: the store does not answer.
        """
        ...


class NoFolderError(ConfigError):
    """The folder of a store that must exist is not there."""


class ArtifactStore:
    """Whole files under one root, which several processes may use at once.

    Every method blocks, and raises `StoreUnavailableError` where the store does not answer, refuses
    or has no room. Credentials and endpoints come from where each cloud's own tools find them. In a
    local folder only plain files under the root are read: a link that leads out of it is refused.

    Args:
        uri: a folder (a relative one counts from the working directory), `file://`, `s3://`,
            `gs://`, `az://` or `memory:///`.
        must_exist: whether a folder that is not there is an error; otherwise it is made.

    Raises:
        ConfigError: the address names no store.
        NoFolderError: no folder is there.
    """

    def __init__(self, uri: str, *, must_exist: bool = False) -> None:
        self._folder = _local_folder(uri)
        if must_exist and self._folder is not None and not self._folder.is_dir():
            raise NoFolderError(
                f"store is {uri!r}: there is no folder {self._folder}; name another by --store or "
                "FRESHET_STORE, or let `freshet train` make this one"
            )
        self.uri = uri if self._folder is None else str(self._folder)
        """The root, absolute: what a writer puts into a version's `uri`."""
        self.is_local = self._folder is not None
        """Whether it is a folder of this machine, so that a cache before it gains nothing."""
        self._store = _open(uri, self._folder)
        if self._folder is not None:
            _sweep(self._folder / _STAGING)

    def put(self, path: str, data: bytes) -> Artifact:
        """Write a file, in place of what was there, and return what proves it."""
        _check(path)
        with write_faults(path):
            self._write(path, data, create=False)
        return artifact_of(path, data)

    def create(self, path: str, data: bytes) -> Artifact:
        """Write a file where there is none; of several writers exactly one succeeds.

        A put that is retried after it had succeeded says that the name exists: compare what it
        holds before calling the race lost.

        Raises:
            AlreadyExistsError: there is one; it is unchanged.
        """
        _check(path)
        with write_faults(path):
            self._write(path, data, create=True)
        return artifact_of(path, data)

    def get(self, path: str) -> bytes:
        """The bytes of a file, unverified.

        Raises:
            NotFoundError: there is none.
            ArtifactRefusedError: it is no plain file under the root.
        """
        self._check_place(path)
        with faults(path):
            return bytes(obstore.get(self._store, path).bytes())

    def fetch(self, artifact: Artifact) -> bytes:
        """The bytes of a file, proven to be those that the artifact names."""
        self._check_place(artifact.path)
        try:
            with faults(artifact.path):
                found = obstore.get(self._store, artifact.path)
                _check_size(artifact, found.meta["size"])
                data = bytes(found.bytes())
        except NotFoundError as e:
            msg = f"{artifact.path}: it is missing in {self.uri}"
            raise ArtifactRefusedError(msg) from e
        verify(artifact, data)
        return data

    def list(self, prefix: str = "", *, after: str | None = None) -> list[str]:
        """Every path below the folder `prefix`, in order of their names; those past `after`."""
        if prefix:
            _check(prefix)
        with faults(prefix):
            found = obstore.list(self._store, prefix or None, offset=after).collect()
        return sorted(meta["path"] for meta in found if ARTIFACT_PATH.fullmatch(meta["path"]))

    def listed(self, prefix: str, *, after: str | None = None) -> tuple[Stored, ...]:
        """Every file below the folder `prefix`, in order of their names; those past `after`."""
        _check(prefix)
        with faults(prefix):
            found = obstore.list(self._store, prefix, offset=after).collect()
        held = (meta for meta in found if ARTIFACT_PATH.fullmatch(meta["path"]))
        stored = (Stored(meta["path"], meta["size"], meta["last_modified"]) for meta in held)
        return tuple(sorted(stored, key=lambda each: each.path))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders in the folder `prefix`, sorted."""
        _check(prefix)
        with faults(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)
        return tuple(sorted(path.rsplit("/", 1)[-1] for path in found["common_prefixes"]))

    def holds(self, path: str) -> bool:
        """Whether there is a file of this name."""
        _check(path)
        try:
            with faults(path):
                obstore.head(self._store, path)
        except NotFoundError:
            return False
        return True

    def delete(self, prefix: str) -> None:
        """Remove the file `prefix` and everything below it; nothing there is no fault."""
        _check(prefix)
        for path in (*self.list(prefix), prefix):
            self.remove(path)

    def remove(self, path: str) -> None:
        """Remove one file; that it is gone already, or a folder, is no fault."""
        _check(path)
        with suppress(NotFoundError), faults(path):
            obstore.delete(self._store, path)

    def _check_place(self, path: str) -> None:
        """Check that a path leads to a plain file under the root, where it leads anywhere.

        A pipe would be waited on for ever, and a link may lead to what no version ever wrote.
        """
        _check(path)
        if self._folder is None or not os.path.lexists(self._folder / path):
            return
        leads_to = Path(os.path.realpath(self._folder / path))
        if not leads_to.is_relative_to(os.path.realpath(self._folder)):
            msg = f"{path}: it leads to {leads_to}, which is not in {self.uri}"
            raise ArtifactRefusedError(msg)
        if not leads_to.is_file():
            msg = f"{path}: it is no plain file in {self.uri}"
            raise ArtifactRefusedError(msg)

    def _write(self, path: str, data: bytes, *, create: bool) -> None:
        if self._folder is None:
            mode: Any = "create" if create else "overwrite"
            obstore.put(self._store, path, data, mode=mode)
            return
        staged = f"{_STAGING}/{uuid.uuid4().hex}"
        try:
            obstore.put(self._store, staged, data, use_multipart=False)
            _sync(self._folder / staged)
            obstore.rename(self._store, staged, path, overwrite=not create)
        except BaseException:
            with suppress(OSError):
                (self._folder / staged).unlink()
            raise
        for parent in PurePosixPath(path).parents:
            _sync(self._folder / parent)


def artifact_of(path: str, data: bytes) -> Artifact:
    """The artifact that `data` under `path` is."""
    return Artifact(path=path, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def verify(artifact: Artifact, data: bytes) -> None:
    """Check that the bytes are those that the artifact names.

    Raises:
        ArtifactRefusedError: size or digest differ.
    """
    _check_size(artifact, len(data))
    digest = hashlib.sha256(data).hexdigest()
    if digest != artifact.sha256:
        msg = f"{artifact.path}: its SHA-256 is {digest}, not {artifact.sha256}"
        raise ArtifactRefusedError(msg)


def _check_size(artifact: Artifact, size: int) -> None:
    if size != artifact.size_bytes or size > MAX_ARTIFACT_BYTES:
        msg = (
            f"{artifact.path}: it has {size} bytes, not {artifact.size_bytes}"
            if size != artifact.size_bytes
            else f"{artifact.path}: its {size} bytes are over the limit of {MAX_ARTIFACT_BYTES}"
        )
        raise ArtifactRefusedError(msg)


def _check(path: str) -> None:
    if not ARTIFACT_PATH.fullmatch(path):
        msg = f"{path!r} is not a path of an artifact (letters, digits and ._- between slashes)"
        raise ArtifactRefusedError(msg)


def _local_folder(uri: str) -> Path | None:
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://")).absolute()
    if re.match(r"[a-z][a-z0-9+.-]*:", uri):
        return None
    return Path(uri).expanduser().absolute()


def _open(uri: str, folder: Path | None) -> ObjectStore:
    try:
        if folder is not None:
            return from_url(folder.as_uri(), mkdir=True, automatic_cleanup=True)
        if uri.startswith("memory:"):
            return from_url(uri)
        return from_url(
            uri,
            client_options={
                "connect_timeout": f"{_CONNECT_SECONDS}s",
                "timeout": f"{_REQUEST_SECONDS}s",
            },
            retry_config={"max_retries": _RETRIES},
        )
    except (ObstoreError, OSError, ValueError) as e:
        msg = f"store is {uri!r}: {first_line(e)}"
        raise ConfigError(msg) from e


def _sweep(staging: Path) -> None:
    """Remove what processes left there that were killed in the middle of a put."""
    oldest = time.time() - LEFT_OVER_SECONDS
    with suppress(OSError):
        for staged in staging.iterdir():
            if staged.stat().st_mtime < oldest:
                staged.unlink()


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # deleted meanwhile: nothing to keep
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
