"""How many labels a task may have: beyond that a record is refused, and the window goes on."""

import json
from collections.abc import Iterable

MOST_LABEL_BYTES = 500_000
"""Most bytes of all labels of a task, as they stand in JSON: every version and every prediction
names each of them, and must fit into a record of 1 MB."""


class LabelLimits:
    """Decides label by label, in the order of the log, which ones a task takes up.

    The same windows give the same labels, however they are gathered into updates.

    Args:
        labels: known labels.
        max_new: most labels that one window may add.
        max_all: most labels of the task.
    """

    def __init__(self, labels: Iterable[str], *, max_new: int, max_all: int) -> None:
        self._known = set(labels)
        self._max_new, self._max_all = max_new, max_all
        self._num_bytes = sum(map(_json_bytes, self._known))
        self._added = 0

    def next_window(self) -> None:
        """Begin to count new labels anew."""
        self._added = 0

    def admits(self, label: str) -> bool:
        """Whether the label is known or may become so; it is known from then on."""
        if label in self._known:
            return True
        num_bytes = self._num_bytes + _json_bytes(label)
        full = len(self._known) >= self._max_all or num_bytes > MOST_LABEL_BYTES
        if full or self._added >= self._max_new:
            return False
        self._known.add(label)
        self._num_bytes, self._added = num_bytes, self._added + 1
        return True


def _json_bytes(label: str) -> int:
    return len(json.dumps(label, ensure_ascii=False).encode()) + 1
