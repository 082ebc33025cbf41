"""What a round looks like on a terminal: one line in a table of rounds, or all its facts."""

from collections.abc import Iterable, Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from consumers.version_figures import figures
from model.lineage_entry import LineageEntry
from model.plan import Adjustment
from schemas.evaluation import Comparison, RecordCounts


def rounds_table(task: str, entries: Iterable[LineageEntry]) -> Table:
    """Return a table of these rounds, oldest first."""
    held = list(entries)
    table = Table(title=task, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("round", "kind", "outcome", "records", "preq.", "new", "old"):
        table.add_column(heading, no_wrap=True)
    for entry in held:
        found = entry.evaluation
        serves = " *" if entry.sequence == held[-1].serving else ""
        table.add_row(
            f"{entry.sequence}{serves}",
            entry.kind,
            entry.outcome.value,
            str(found.counts.learned + found.counts.held_out),
            _share(found.prequential_accuracy),
            _compared(found.new, counted=False),
            _compared(found.old, counted=False),
        )
    table.caption = (
        "* serves; preq.: the champion on the window before it was learned; "
        "new, old: held-out accuracy, champion > candidate"
    )
    return table


def facts(entry: LineageEntry) -> list[tuple[str, str]]:
    """Return all that an entry says, as names and values."""
    found, encoder = entry.evaluation, entry.encoder
    return [
        ("kind", entry.kind),
        ("outcome", entry.outcome.value),
        ("reason", found.reason),
        ("champion before", _number(found.champion)),
        ("serves after", _number(entry.serving)),
        ("learned from", "\n".join(map(str, entry.spans)) or "-"),
        ("read again", "\n".join(map(str, entry.refresh_reads)) or "-"),
        ("trained through", "\n".join(f"{k}: {v}" for k, v in entry.trained_through.items())),
        ("records", _counts(found.counts)),
        ("prequential", _share(found.prequential_accuracy)),
        ("new", _compared(found.new)),
        ("old", _compared(found.old)),
        ("evidence", found.evidence or "-"),
        *figures(found),
        *_outlook(entry),
        ("labels", ", ".join(entry.labels)),
        ("metrics", ", ".join(f"{k} {v:.4g}" for k, v in sorted(found.metrics.items())) or "-"),
        ("seconds", ", ".join(f"{k} {v:.2f}" for k, v in found.seconds.items())),
        ("encoder", encoder.digest if encoder else "-"),
        ("head", entry.version.head.sha256 if entry.version else "-"),
        ("forgot", _forgot(entry)),
        ("set apart", ", ".join(map(str, entry.set_apart)) or "-"),
        ("attempt", entry.attempt),
        ("seed", str(entry.seed)),
        ("committed at", entry.created_at.isoformat()),
    ]


def _outlook(entry: LineageEntry) -> Iterator[tuple[str, str]]:
    """What the round leaves for the next ones."""
    changes = entry.plan.changes if entry.plan else ()
    yield "next fit", "\n".join(map(_change, changes)) or "as configured"
    drift = entry.evaluation.drift
    yield (
        "drift",
        f"since record {drift.since_record}: errors {drift.error_before:.3f} > "
        f"{drift.error_after:.3f}"
        if drift
        else "-",
    )
    trial, anchor = entry.trial, entry.anchor
    yield "on trial", f"the encoder of {trial.refreshed} beside {trial.version}" if trial else "-"
    yield "tested beside", f"version {anchor.version}" if anchor else "-"


def _change(change: Adjustment) -> str:
    before, after = (
        "as configured" if value is None else f"{value:.4g}"
        for value in (change.before, change.after)
    )
    return f"{change.field} {before} > {after}: {change.reason}"


def _forgot(entry: LineageEntry) -> str:
    held = entry.forgetting
    if held is None:
        return "-"
    denied = f"denied since the first: {len(held.ids)} ids, {len(held.texts)} texts"
    return f"{held.num_learned} learned, {held.num_held_out} held out; {denied}"


def _counts(counts: RecordCounts) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts if number) or "-"


def _number(sequence: int | None) -> str:
    return "-" if sequence is None else str(sequence)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _compared(found: Comparison, *, counted: bool = True) -> str:
    if not found.num_records:
        return "-"
    pair = f"{_share(found.champion)} > {_share(found.candidate)}"
    return f"{pair} ({found.num_records})" if counted else pair
