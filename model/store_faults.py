"""What goes wrong in an object store, in this project's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import AlreadyExistsError as ObstoreExistsError
from obstore.exceptions import BaseError as ObstoreError

from model.errors import AlreadyExistsError, NotFoundError, StoreUnavailableError


@contextmanager
def faults(path: str) -> Iterator[None]:
    """Turn the faults of obstore and of the disk into this project's."""
    try:
        yield
    except FileNotFoundError as e:
        raise NotFoundError(f"{path}: not found") from e
    except ObstoreExistsError as e:
        raise AlreadyExistsError(f"{path}: exists") from e
    except (ObstoreError, OSError) as e:
        raise StoreUnavailableError(f"{path}: {first_line(e)}") from e


@contextmanager
def write_faults(path: str) -> Iterator[None]:
    """The same for a write, which looks for nothing: its folder went while it was at work."""
    try:
        with faults(path):
            yield
    except NotFoundError as e:
        raise StoreUnavailableError(f"{path}: cannot write: {first_line(e)}") from e


def first_line(error: Exception) -> str:
    """Its message without what follows the first line."""
    return str(error).partition("\n")[0]
