"""What a lineage and its learners need of a store; `model.artifacts` has the one that lasts."""

from typing import Protocol

from schemas.model_version import Artifact


class Store(Protocol):
    """Whole files under one root. Paths are those of `schemas.model_version.ARTIFACT_PATH`.

    Every method blocks, and raises `StoreUnavailableError` where the store does not answer.
    """

    @property
    def uri(self) -> str:
        """The root, as a writer puts it into a version."""
        ...

    def put(self, path: str, data: bytes) -> Artifact:
        """Write a file, in place of what was there, and return what proves it."""
        ...

    def create(self, path: str, data: bytes) -> Artifact:
        """Write a file where there is none; of several writers exactly one succeeds.

        Raises:
            AlreadyExistsError: there is one; it is unchanged.
        """
        ...

    def get(self, path: str) -> bytes:
        """The bytes of a file, unverified.

        Raises:
            NotFoundError: there is none.
        """
        ...

    def fetch(self, artifact: Artifact) -> bytes:
        """The bytes of a file, proven to be those that the artifact names.

        Raises:
            ArtifactRefusedError: it is missing, or its size or digest differ.
        """
        ...

    def list(self, prefix: str = "", *, after: str | None = None) -> list[str]:
        """Every path below the folder `prefix`, in order of their names; those past `after`."""
        ...

    def holds(self, path: str) -> bool:
        """Whether there is a file of this name."""
        ...

    def delete(self, prefix: str) -> None:
        """Remove the file `prefix` and everything below it; nothing there is no fault."""
        ...
