"""Replays the lineage of one task over the log: which entry accounts for which record."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.faults.checker.evidence import Evidence, Position, Violation

Row = dict[str, Any]


class Valid(NamedTuple):
    """What matters of a valid labeled text."""

    id: str
    label: str


class Ledger:
    """The books of one task, by record.

    Args:
        evidence: store and topics.
        task: its name.
        log: its valid records by position.
    """

    def __init__(self, evidence: Evidence, task: str, log: Mapping[Position, Valid]) -> None:
        self._evidence, self._task, self._log = evidence, task, log
        self._through: dict[int, int] = {}
        self._labels: dict[str, str] = {}
        """The label under which each id was last taught."""
        self.taken: dict[Position, int] = {}
        """Sequence of the entry that accounts for a record."""
        self.faults: list[Violation] = []
        for entry in evidence.entries(task):
            self._replay(entry)

    def _replay(self, entry: dict[str, Any]) -> None:
        fresh, trimmed = self._covered(entry)
        through = {f"{self._evidence.prefix}labeled-texts/{n}": e for n, e in self._through.items()}
        if entry["trained_through"] != through:
            self._fault(entry, f"trained through {entry['trained_through']}, not {through}")
        counts, rows = entry["evaluation"]["counts"], self._evidence.journal(entry)
        if entry["evaluation"]["outcome"] == "failed":
            if rows or counts["skipped"] < len(fresh):
                self._fault(entry, f"failed with {len(fresh)} records, of which it counts {counts}")
            return
        if counts["trimmed"] != trimmed:
            self._fault(entry, f"{trimmed} of its records are known, it counts {counts['trimmed']}")
        taught = self._taught(entry, fresh, rows)
        parts = [row["part"] == "learn" for row in rows]
        found = {
            "learned": sum(parts),
            "held_out": len(parts) - sum(parts),
            "duplicates": len(fresh) - len(taught),
            "skipped": 0,
        }
        if any(counts[name] != number for name, number in found.items()):
            self._fault(entry, f"its files and spans say {found}, it counts {counts}")
        for position in set(fresh) - taught:
            if self._log[position].id not in self._labels:
                where = f"labeled-texts/{position[0]}/{position[1]}"
                self._fault(entry, f"{where} is neither taught nor a duplicate of what was")

    def _covered(self, entry: dict[str, Any]) -> tuple[list[Position], int]:
        """The records that this entry is the first to account for, and how many others it spans."""
        fresh: list[Position] = []
        trimmed = 0
        for span in entry["spans"]:
            if self._evidence.bare(span["topic"]) != "labeled-texts":
                self._fault(entry, f"a span of {span['topic']}")
                continue
            partition = span["partition"]
            below = self._through.get(partition, 0)
            here = [
                position
                for offset in range(span["start"], span["end"])
                if (position := (partition, offset)) in self._log
            ]
            fresh += [position for position in here if position[1] >= below]
            trimmed += sum(position[1] < below for position in here)
            self._through[partition] = max(below, span["end"])
        for position in fresh:
            self.taken[position] = entry["sequence"]
        return fresh, trimmed

    def _taught(
        self, entry: dict[str, Any], fresh: list[Position], rows: list[Row]
    ) -> set[Position]:
        taught: set[Position] = set()
        within = set(fresh)
        for row in rows:
            position = row["partition"], row["offset"]
            where = f"labeled-texts/{position[0]}/{position[1]}"
            if position not in within or position in taught:
                self._fault(entry, f"{where} is taught, and is no record of its own")
                continue
            if self._log[position] != (row["id"], row["label"]):
                self._fault(entry, f"{where} is taught as {row['id']}: {row['label']}")
            if self._labels.get(row["id"]) == row["label"]:
                self._fault(entry, f"{row['id']} is taught a second time at {where}")
            self._labels[row["id"]] = row["label"]
            taught.add(position)
        return taught

    def _fault(self, entry: dict[str, Any], what: str) -> None:
        self.faults.append(Violation("G1", f"{self._task}/{entry['sequence']}", what))
