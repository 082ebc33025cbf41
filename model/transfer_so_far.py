"""The accuracy matrix of a task that is still being learned, one row a round."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from schemas.evaluation import SliceAccuracy, Transfer, WindowAccuracy

_WINDOW = "window:"


def by_window(slices: Iterable[SliceAccuracy]) -> dict[int, SliceAccuracy]:
    """The slices that are the held-out records of one round each, by its sequence, rising."""
    found = {int(s.name.removeprefix(_WINDOW)): s for s in slices if s.name.startswith(_WINDOW)}
    return dict(sorted(found.items()))


def transfer_after(
    before: Transfer | None, slices: Sequence[SliceAccuracy], *, served_on: bool
) -> Transfer | None:
    """The figures after a round; those before where it measured nothing.

    Args:
        before: of the round before.
        slices: of the round, by name.
        served_on: the champion serves on, so that its accuracies count; else the candidate's.
    """
    known = {each.window: each for each in before.windows} if before else {}
    rows: list[WindowAccuracy] = []
    for window, each in by_window(slices).items():
        now = each.champion if served_on else each.candidate
        if now is None:
            continue  # nothing serves
        held = known.get(window)
        rows.append(
            WindowAccuracy(
                window=window,
                before=held.before if held else each.champion,
                first=held.first if held else now,
                best=max(held.best, now) if held else now,
                now=now,
            )
        )
    return _summed_up(rows) if rows else before


def _summed_up(rows: Sequence[WindowAccuracy]) -> Transfer:
    older = rows[:-1]
    met = [row.before for row in rows if row.before is not None]
    return Transfer(
        windows=tuple(rows),
        average_accuracy=fmean(row.now for row in rows),
        forgetting=fmean(row.best - row.now for row in older) if older else 0.0,
        backward_transfer=fmean(row.now - row.first for row in older) if older else 0.0,
        forward_transfer=fmean(met) if met else 0.0,
    )
