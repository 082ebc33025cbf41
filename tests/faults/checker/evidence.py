"""What the checker looks at: raw records, raw entries, committed offsets, and a folder of bytes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

Place = tuple[str, int]
"""Topic, without the prefix of its installation, and partition."""
Position = tuple[int, int]
"""Partition and offset of a labeled text, or of a text."""


class Violation(NamedTuple):
    """A guarantee that does not hold, where, and what was found instead."""

    guarantee: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.guarantee} {self.where}: {self.what}"


class Record(NamedTuple):
    """A record as a plain client reads it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """The broker's append time in milliseconds since 1970."""
    key: bytes | None
    value: bytes | None

    @property
    def position(self) -> Position:
        """Partition and offset."""
        return self.partition, self.offset

    @property
    def json(self) -> Any:
        """Its value, parsed; None for a tombstone."""
        return None if self.value is None else json.loads(self.value)


@dataclass(frozen=True)
class Evidence:
    """One installation as it lies there; records are all that was ever appended."""

    store: Path
    prefix: str = ""
    """Before the topic of each span of an entry."""
    records: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    """By topic, in offset order within a partition."""
    committed: Mapping[str, Mapping[Place, int]] = field(default_factory=dict)
    """Next offset to read, by role and place."""
    ends: Mapping[Place, int] = field(default_factory=dict)
    max_text_chars: int = 20_000

    def of(self, topic: str) -> Sequence[Record]:
        """The records of a topic."""
        return self.records.get(topic, ())

    @cached_property
    def lineages(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By task the entries in order, by the name of their file."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for file in sorted(self.store.glob("tasks/*/lineage/*.json")):
            task = file.parts[-3]
            found.setdefault(task, {})[file.name] = json.loads(file.read_bytes())
        return found

    def entries(self, task: str) -> list[dict[str, Any]]:
        """The entries of a task in order."""
        return list(self.lineages.get(task, {}).values())

    def journal(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows that an increment itself brought: what it learned and held out."""
        held = (entry["files"] or {}).get("journal")
        if held is None or entry["kind"] != "increment":
            return []
        columns = ["id", "label", "part", "sequence", "topic", "partition", "offset", "weight"]
        rows: list[dict[str, Any]] = pq.read_table(
            self.store / held["path"], columns=columns
        ).to_pylist()
        return [row for row in rows if row["weight"] > 0 and row["sequence"] == entry["sequence"]]

    def bare(self, topic: str) -> str:
        """A topic without the installation's prefix."""
        return topic.removeprefix(self.prefix)


def first_of_each(records: Sequence[Record], *names: str) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The first event under each key made of these fields, in the order of appearance."""
    seen = set()
    for record in records:
        event = record.json
        if event is None:
            continue
        key = tuple(event[name] for name in names)
        if key not in seen:
            seen.add(key)
            yield key, event
