"""An independent accountant: reads the log and the store, and knows none of the project's code.

Every valid record of the log must be in exactly one lineage entry; whatever the entries and the
events say about one round must agree.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Place = tuple[str, int]


@dataclass
class Books:
    """What the lineage of one task accounts for."""

    entries: list[dict[str, Any]]
    taken: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    """How often a record of the log was taken in, by topic, partition and offset."""
    taught: Counter[str] = field(default_factory=Counter)
    """How often an id entered the journal of an increment."""

    @property
    def sums(self) -> Counter[str]:
        """Records by their fate, over all entries."""
        total: Counter[str] = Counter()
        for entry in self.entries:
            total.update(entry["evaluation"]["counts"])
        return total


def read_books(store: Path, task: str, log: list[Any]) -> Books:
    """Replay a lineage over the raw records of `labeled-texts`.

    Args:
        store: the folder of the store.
        task: whose lineage.
        log: the raw records, as a Kafka client gave them.
    """
    files = sorted((store / "tasks" / task / "lineage").glob("*.json"))
    entries = [json.loads(file.read_text()) for file in files]
    assert [entry["sequence"] for entry in entries] == list(range(len(files))), "a gap or a fork"
    books = Books(entries)
    through: dict[Place, int] = {}
    for entry in entries:
        counts = entry["evaluation"]["counts"]
        fresh = trimmed = 0
        for span in entry["spans"]:
            place = (span["topic"], span["partition"])
            below = through.get(place, 0)
            held = [r for r in log if _in(r, span) and _task_of(r) == task]
            fresh += sum(r.offset >= below for r in held)
            trimmed += sum(r.offset < below for r in held)
            books.taken.update((*place, r.offset) for r in held if r.offset >= below)
            through[place] = max(below, span["end"])
        fates = ("learned", "held_out", "duplicates", "skipped", "refused")
        accounted = sum(counts[name] for name in fates)
        if entry["evaluation"]["outcome"] != "failed":
            assert (accounted, counts["trimmed"]) == (fresh, trimmed), entry["sequence"]
        assert entry["trained_through"] == {f"{t}/{p}": end for (t, p), end in through.items()}
        books.taught.update(_ids(store, entry))
    return books


def in_the_log(log: list[Any], task: str) -> set[tuple[str, int, int]]:
    """Where the valid records of a task stand."""
    return {(r.topic, r.partition, r.offset) for r in log if _task_of(r) == task}


def _in(record: Any, span: dict[str, Any]) -> bool:
    here = (record.topic, record.partition) == (span["topic"], span["partition"])
    return here and span["start"] <= record.offset < span["end"]


def _task_of(record: Any) -> str | None:
    try:
        value = json.loads(record.value)
    except ValueError:
        return None
    return value.get("task") if isinstance(value, dict) and value.get("label") else None


def _ids(store: Path, entry: dict[str, Any]) -> list[str]:
    journal = (entry["files"] or {}).get("journal")
    if journal is None or entry["kind"] != "increment":
        return []
    table = pq.read_table(store / journal["path"])
    rows = zip(table["id"].to_pylist(), table["weight"].to_pylist(), strict=True)
    return [record_id for record_id, weight in rows if weight >= 0]
