"""What a lineage's entries say together: how a task learned, and what it forgot."""

from collections.abc import Iterable
from dataclasses import dataclass

from model.lineage_entry import LineageEntry
from model.transfer_so_far import by_window
from schemas.evaluation import Comparison, SliceAccuracy


@dataclass(frozen=True, slots=True)
class Learning:
    """Accuracy after each round of whatever served then; None where nothing was measured."""

    rounds: tuple[int, ...]
    prequential: tuple[float | None, ...]
    """Of the champion on the round's windows, before they were learned."""
    new: tuple[float | None, ...]
    """On the held-out records of the newest rounds."""
    old: tuple[float | None, ...]
    """On all older ones."""


@dataclass(frozen=True, slots=True)
class Remembering:
    """R[i, j]: accuracy, after round i, on the held-out records that round j brought."""

    rounds: tuple[int, ...]
    """The rows: rounds that measured any."""
    windows: tuple[int, ...]
    """The columns: rounds that brought records."""
    accuracy: tuple[tuple[float | None, ...], ...]
    """None where round i did not measure j: not there yet, or without a slice of its own."""

    def curve(self, window: int) -> tuple[float | None, ...]:
        """Column of a window: what is still known of it, round by round."""
        place = self.windows.index(window)
        return tuple(row[place] for row in self.accuracy)


def learning(entries: Iterable[LineageEntry]) -> Learning:
    """The learning curve over these entries, in their order."""
    held = list(entries)
    return Learning(
        rounds=tuple(entry.sequence for entry in held),
        prequential=tuple(entry.evaluation.prequential_accuracy for entry in held),
        new=tuple(_of_what_serves(entry, entry.evaluation.new) for entry in held),
        old=tuple(_of_what_serves(entry, entry.evaluation.old) for entry in held),
    )


def remembering(entries: Iterable[LineageEntry]) -> Remembering:
    """The accuracy matrix over windows from the slices of these entries, in their order."""
    rows = {entry.sequence: _by_window(entry) for entry in entries}
    rounds = tuple(sequence for sequence, found in rows.items() if found)
    windows = tuple(sorted({window for found in rows.values() for window in found}))
    return Remembering(
        rounds=rounds,
        windows=windows,
        accuracy=tuple(tuple(rows[i].get(j) for j in windows) for i in rounds),
    )


def _by_window(entry: LineageEntry) -> dict[int, float]:
    held = by_window(entry.evaluation.slices)
    found = {window: _of_what_serves(entry, each) for window, each in held.items()}
    return {window: accuracy for window, accuracy in found.items() if accuracy is not None}


def _of_what_serves(entry: LineageEntry, found: Comparison | SliceAccuracy) -> float | None:
    """The candidate's where it serves, promoted or not, else the champion's, which serves on."""
    return found.candidate if entry.outcome.candidate_serves else found.champion
