"""How a fault of a setting is told: where it stands, what is wrong, and which value it is."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel


def described(fault: Any, where: str = "") -> str:
    """A fault, as pydantic lists it, in one line; `where` comes first."""
    name = ".".join(str(part) for part in fault["loc"])
    return f"{where}{name}: {fault['msg']} (it is {fault['input']!r})"


def nearly(fault: Any, root: type[BaseModel]) -> str:
    """The field that an unknown one is almost, as a question; nothing where none is near.

    Args:
        fault: as pydantic lists it.
        root: the model in which it was found.
    """
    if fault["type"] != "extra_forbidden":
        return ""
    *parents, name = fault["loc"]
    model: Any = root
    for parent in parents:
        field = model.model_fields.get(parent)
        model = field and field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return ""
    near = get_close_matches(str(name), model.model_fields, 1)
    return f"; is {near[0]} meant?" if near else ""
