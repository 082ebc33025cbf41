"""An object store that fails, is slow or has no room, in the place of obstore in model.artifacts.

The messages are those that obstore 0.11 gives on a full tmpfs and on a store that refuses.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import GenericError

from tests.faults.firing import Armed, note
from tests.faults.plan import Operation, StoreFault

NO_ROOM = (
    "Generic LocalFileSystem error: Unable to copy data to file: "
    "No space left on device (os error 28)"
)
NO_ANSWER = "Generic S3 error: Error performing request: HTTP status server error (503 Slow Down)"

FUNCTIONS: dict[str, Operation] = {
    "put": "put",
    "get": "get",
    "head": "get",
    "list": "list",
    "list_with_delimiter": "list",
    "rename": "rename",
    "delete": "delete",
}
"""Which function of obstore is which operation."""


class FaultyStore:
    """The functions of obstore, some of whose calls meet a fault.

    Args:
        original: the module.
        faults: those to draw from, in this order.
        path: of the plan.
        armed: whether a fault is on.
    """

    def __init__(
        self, original: Any, faults: tuple[StoreFault, ...], path: Path, armed: Armed
    ) -> None:
        self._original, self._path, self._armed = original, path, armed
        self._faults = [(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311
        for name, operation in FUNCTIONS.items():
            setattr(self, name, self._faulty(operation, getattr(original, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def _faulty(self, operation: Operation, original: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            met = [fault for fault, draw in self._faults if self._meets(fault, draw, operation)]
            for fault in met:
                self._before(fault)
            answer = original(*arguments, **options)
            if any(fault.kind == "lost" for fault in met):
                raise GenericError(NO_ANSWER)
            return answer

        return called

    def _meets(self, fault: StoreFault, draw: random.Random, operation: Operation) -> bool:
        met = _concerns(fault, operation) and self._armed(fault) and draw.random() < fault.rate
        if met:
            note(self._path, fault.name)
        return met

    def _before(self, fault: StoreFault) -> None:
        match fault.kind:
            case "slow":
                time.sleep(fault.seconds)
            case "full":
                raise GenericError(NO_ROOM)
            case "error":
                raise GenericError(NO_ANSWER)


def _concerns(fault: StoreFault, operation: Operation) -> bool:
    writes_data = operation == "put"
    return operation in fault.operations and (writes_data or fault.kind != "full")


def into_store(faults: tuple[StoreFault, ...], path: Path, armed: Armed) -> None:
    """Let the stores of this process meet faults."""
    from model import artifacts

    if faults:
        # The wrapper has the functions of the module that it stands for.
        vars(artifacts)["obstore"] = FaultyStore(obstore, faults, path, armed)
