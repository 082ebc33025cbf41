"""A store in memory in front of another one, which is read and never written."""

from collections.abc import Iterable

from model.artifacts import ArtifactStore
from model.errors import NotFoundError
from model.store import Store
from schemas.model_version import Artifact


class ScratchStore:
    """What is written stays here and wins over what lies below; it goes with this object.

    Args:
        below: what is read.
        hidden: paths of it that are taken for absent.
    """

    def __init__(self, below: Store, *, hidden: Iterable[str] = ()) -> None:
        self._below = below
        self._hidden = set(hidden)
        self._scratch = ArtifactStore("memory:///")
        self._written: set[str] = set()
        self.uri = below.uri

    def put(self, path: str, data: bytes) -> Artifact:
        """Write here."""
        self._written.add(path)
        return self._scratch.put(path, data)

    def create(self, path: str, data: bytes) -> Artifact:
        """Write here, where there is none here."""
        made = self._scratch.create(path, data)
        self._written.add(path)
        return made

    def get(self, path: str) -> bytes:
        """From here, else from below."""
        if path in self._written:
            return self._scratch.get(path)
        if path in self._hidden:
            raise NotFoundError(f"{path}: not found")
        return self._below.get(path)

    def fetch(self, artifact: Artifact) -> bytes:
        """From here, else from below, proven either way."""
        here = artifact.path in self._written
        return self._scratch.fetch(artifact) if here else self._below.fetch(artifact)

    def list(self, prefix: str = "", *, after: str | None = None) -> list[str]:
        """The paths of both."""
        below = set(self._below.list(prefix, after=after)) - self._hidden
        return sorted(below | set(self._scratch.list(prefix, after=after)))

    def holds(self, path: str) -> bool:
        """Whether it is here or below."""
        return path in self._written or (path not in self._hidden and self._below.holds(path))

    def delete(self, prefix: str) -> None:
        """Hide what lies below, remove what lies here."""
        self._hidden |= {prefix, *self._below.list(prefix)}
        self._written -= {prefix, *self._scratch.list(prefix)}
        self._scratch.delete(prefix)
