"""A small sound installation in a folder, made by hand, for tests that plant a violation in it.

Partition 0 of `labeled-texts` holds offsets 0 to 9: 3 is not JSON, 5 repeats the id of 4; 6 and 7
were in a window that failed, 8 and 9 in an increment that was rejected.
"""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.checker.evidence import Evidence, Place, Record

PREFIX = "p-"
TASK = "prices"
NOW = 1_700_000_000_000
"""When everything was appended, in milliseconds since 1970."""


class Sound:
    """Everything is open to change before `evidence` is taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, list[Record]] = {}
        self.committed: dict[str, dict[Place, int]] = {}
        self.entries = _entries()
        for offset in range(10):
            self.append("labeled-texts", _labeled(offset))
        self.append("labeled-texts.dead-letters", letter("labeled-texts", 3, b"{broken"))
        for start, end in ((0, 6), (6, 8), (8, 10)):
            self.append("training-windows", {"window_id": f"w-{start}", "task": TASK, "end": end})
        self.append("training-windows.dead-letters", letter("training-windows", 1, None))
        self._write_files()
        for entry in self.entries:
            self.append("evaluation-events", entry["evaluation"])
            if entry["version"] is not None:
                self.append("model-versions", entry["version"])
        for number in range(3):
            self.append(
                "texts", {"id": f"q-{number}", "task": TASK, "text": f"sales rose {number}"}
            )
            self.append("predictions", _answer(number))
        self.append("texts", b"{broken")
        self.append("texts.dead-letters", letter("texts", 3, b"{broken"))

    @property
    def attempt(self) -> Path:
        """The folder of the version's files."""
        return self.folder / "tasks" / TASK / "attempts" / "a-0"

    def append(self, topic: str, value: Any) -> Record:
        """Append a record to partition 0 of a topic."""
        log = self.records.setdefault(topic, [])
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        log.append(Record(topic, 0, len(log), NOW, None, raw))
        return log[-1]

    def change(self, topic: str, offset: int, **fields: Any) -> None:
        """Change fields of an event that stands there."""
        held = self.records[topic][offset]
        value = json.dumps({**held.json, **fields}).encode()
        self.records[topic][offset] = held._replace(value=value)

    def evidence(self) -> Evidence:
        """What the checker gets; a group that `committed` does not name is at the head."""
        for sequence, entry in enumerate(self.entries):
            name = f"{sequence:08d}.json"
            (self.folder / "tasks" / TASK / "lineage" / name).write_text(json.dumps(entry))
        ends = {(topic, 0): len(log) for topic, log in self.records.items()}
        head = dict.fromkeys(("windows", "train", "serve"), ends)
        return Evidence(
            store=self.folder,
            prefix=PREFIX,
            records=self.records,
            committed={**head, **self.committed},
            ends=ends,
        )

    def write_journal(self, sequence: int, offsets: list[int], **changes: Any) -> None:
        """Write the journal of an entry: it learned these records."""
        rows = [_row(sequence, offset) | changes for offset in offsets]
        file = self.folder / f"tasks/{TASK}/attempts/a-{sequence}/journal.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), file)

    def _write_files(self) -> None:
        (self.folder / "tasks" / TASK / "lineage").mkdir(parents=True)
        self.write_journal(0, [0, 1, 2, 4])
        self.write_journal(2, [8, 9])
        version = self.entries[0]["version"]
        for name in ("encoder", "tokenizer", "head"):
            file = self.folder / version[name]["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
            _backdate(file)


def _backdate(file: Path) -> None:
    os.utime(file, (NOW / 1000 - 60, NOW / 1000 - 60))


def _labeled(offset: int) -> Any:
    if offset == 3:
        return b"{broken"
    number = 4 if offset == 5 else offset
    return {"id": f"id-{number}", "task": TASK, "text": f"sales rose {number}", "label": "up"}


def letter(topic: str, offset: int, value: bytes | None) -> dict[str, Any]:
    raw = None if value is None else base64.b64encode(value).decode()
    return {
        "topic": PREFIX + topic,
        "partition": 0,
        "offset": offset,
        "reason": "a reason",
        "key": None,
        "value": raw,
    }


def _answer(number: int) -> dict[str, Any]:
    return {"id": f"q-{number}", "task": TASK, "label": "up", "scores": {"up": 1.0}, "version": 0}


def _row(sequence: int, offset: int) -> dict[str, Any]:
    return {
        "id": f"id-{offset}",
        "label": "up",
        "part": "judge" if offset == 0 else "learn",
        "sequence": sequence,
        "topic": f"{PREFIX}labeled-texts",
        "partition": 0,
        "offset": offset,
        "weight": 1.0,
    }


def _entries() -> list[dict[str, Any]]:
    counts = {"learned": 0, "held_out": 0, "duplicates": 0, "skipped": 0, "trimmed": 0}
    return [
        _entry(0, "promoted", 0, 6, {**counts, "learned": 3, "held_out": 1, "duplicates": 1}),
        _entry(1, "failed", 6, 8, {**counts, "skipped": 2}),
        _entry(2, "rejected", 8, 10, {**counts, "learned": 2}),
    ]


def _entry(
    sequence: int, outcome: str, start: int, end: int, counts: dict[str, int]
) -> dict[str, Any]:
    span = {"topic": f"{PREFIX}labeled-texts", "partition": 0, "start": start, "end": end}
    promoted = outcome == "promoted"
    journal = {"path": f"tasks/{TASK}/attempts/a-{sequence}/journal.parquet"}
    return {
        "task": TASK,
        "sequence": sequence,
        "kind": "increment",
        "trained_through": {f"{PREFIX}labeled-texts/0": end},
        "windows": [f"w-{start}"],
        "spans": [span],
        "labels": ["up"],
        "files": {"journal": None if outcome == "failed" else journal},
        "evaluation": {
            "task": TASK,
            "sequence": sequence,
            "champion": None if sequence == 0 else 0,
            "outcome": outcome,
            "counts": counts,
            "metrics": {"parity": 1e-7} if promoted else {},
        },
        "version": _version(sequence) if promoted else None,
        "serving": 0,
        "rollback": None,
    }


def _version(number: int) -> dict[str, Any]:
    files = {name: _artifact(name) for name in ("encoder", "tokenizer", "head")}
    return {"task": TASK, "version": number, "parent": None, "labels": ["up"], **files}


def _artifact(name: str) -> dict[str, Any]:
    data = name.encode()
    digest = hashlib.sha256(data).hexdigest()
    return {"path": f"tasks/{TASK}/attempts/a-0/{name}", "sha256": digest, "size_bytes": len(data)}
