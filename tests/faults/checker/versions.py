"""G3: what is announced is complete, parity-proven and byte-identical to its digests."""

import hashlib
from collections.abc import Iterator
from typing import Any

from tests.faults.checker.evidence import Evidence, Violation

VERSIONS = "model-versions"
LARGEST_DIFFERENCE = 1e-4
"""Of a score, between the graphs that serve and the model that was trained."""
OWN = "tasks/"
"""Files of one attempt alone; those of an encoder are shared, and may be written again."""
GRACE_SECONDS = 0.05
"""The broker's clock counts milliseconds, the file system's goes by the tick."""


def check_versions(evidence: Evidence) -> Iterator[Violation]:
    """Every announced version that cannot be trusted."""
    checked: dict[str, Violation | None] = {}
    for record in evidence.of(VERSIONS):
        version = record.json
        if version is None:
            continue
        where = f"{version['task']} version {version['version']}"
        for name in ("encoder", "tokenizer", "head"):
            path = version[name]["path"]
            if path not in checked:
                checked[path] = _file(evidence, version[name], where)
            if (fault := checked[path]) is not None:
                yield fault
            elif (
                path.startswith(OWN)
                and _written(evidence, path) > record.timestamp / 1000 + GRACE_SECONDS
            ):
                yield Violation("G3", where, f"{path} was written after it was announced")
        yield from _proof(evidence, version, where)


def _file(evidence: Evidence, artifact: dict[str, Any], where: str) -> Violation | None:
    file = evidence.store / artifact["path"]
    if not file.is_file():
        return Violation("G3", where, f"{artifact['path']} is missing")
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if (len(data), digest) != (artifact["size_bytes"], artifact["sha256"]):
        return Violation("G3", where, f"{artifact['path']} has other bytes than announced")
    return None


def _written(evidence: Evidence, path: str) -> float:
    return (evidence.store / path).stat().st_mtime


def _proof(evidence: Evidence, version: dict[str, Any], where: str) -> Iterator[Violation]:
    """Its own entry proves it, or where it is a restored one, the entry that first had it."""
    entries = {entry["sequence"]: entry for entry in evidence.entries(version["task"])}
    entry = entries.get(version["version"])
    while entry is not None and entry["rollback"] is not None:
        entry = entries.get(entry["rollback"]["restores"])
    if entry is None:
        yield Violation("G3", where, "has no lineage entry")
        return
    parity = entry["evaluation"]["metrics"].get("parity")
    if entry["evaluation"]["outcome"] != "promoted":
        yield Violation("G3", where, f"its entry says {entry['evaluation']['outcome']}")
    if parity is None or not 0 <= parity <= LARGEST_DIFFERENCE:
        yield Violation("G3", where, f"its parity was not proven: {parity}")
