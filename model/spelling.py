"""Names that are nearly one of those there are."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """The name that this is almost, as a question behind what is said; nothing where none is near.

    Args:
        name: as it was given.
        known: what it could have been.
    """
    near = get_close_matches(name, list(known), 1)
    return f"; is {near[0]} meant?" if near else ""
