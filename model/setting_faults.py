"""How a fault of a setting is told: where it stands, what is wrong, and which value it is."""

from typing import Any, get_args

from pydantic import BaseModel

from model.spelling import meant


def described(fault: Any, where: str = "") -> str:
    """A fault, as pydantic lists it, in one line; `where` comes first."""
    name = ".".join(str(part) for part in fault["loc"])
    return f"{where}{name}: {fault['msg']} (it is {fault['input']!r:.80})"


def nearly(fault: Any, root: type[BaseModel]) -> str:
    """The field that an unknown one is almost, as a question; nothing where none is near.

    Args:
        fault: as pydantic lists it.
        root: the model in which it was found.
    """
    if fault["type"] != "extra_forbidden":
        return ""
    *parents, name = fault["loc"]
    model: type[BaseModel] | None = root
    for parent in parents:
        field = model.model_fields.get(parent) if model else None
        model = _model(field.annotation) if field else None
    return meant(str(name), model.model_fields) if model else ""


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also one that may be None."""
    held = (annotation, *get_args(annotation))
    return next((it for it in held if isinstance(it, type) and issubclass(it, BaseModel)), None)
