"""G2: lineages have no gaps and never fork, and the events say what the entries say."""

from collections.abc import Iterator
from typing import Any

from tests.faults.checker.evidence import Evidence, Violation, first_of_each

EVALUATIONS, VERSIONS = "evaluation-events", "model-versions"


def check_lineages(evidence: Evidence) -> Iterator[Violation]:
    """Every way in which a lineage is not one chain, told once."""
    for task in sorted(evidence.lineages):
        yield from _chain(evidence, task)
    yield from _told(evidence, EVALUATIONS, "sequence", "evaluation")
    yield from _told(evidence, VERSIONS, "version", "version")


def _chain(evidence: Evidence, task: str) -> Iterator[Violation]:
    serving: int | None = None
    labels: list[str] = []
    for number, (name, entry) in enumerate(evidence.lineages[task].items()):
        where = f"{task}/{name}"
        if name != f"{number:08d}.json":
            yield Violation("G2", where, f"stands where sequence {number} should: a gap")
            return
        found = (entry["task"], entry["sequence"], entry["evaluation"]["sequence"])
        if found != (task, number, number):
            yield Violation("G2", where, f"says of itself that it is {found}")
        if entry["evaluation"]["champion"] != serving:
            champion = entry["evaluation"]["champion"]
            yield Violation("G2", where, f"began with champion {champion}, served was {serving}")
        version = entry["version"]
        if version is not None and version["parent"] != serving:
            yield Violation("G2", where, f"has parent {version['parent']}, served was {serving}")
        serving = serving if version is None else number
        if entry["serving"] != serving:
            yield Violation("G2", where, f"says {entry['serving']} serves, it is {serving}")
        if entry["labels"][: len(labels)] != labels:
            yield Violation("G2", where, f"has labels {entry['labels']}, before it {labels}")
        labels = entry["labels"]


def _told(evidence: Evidence, topic: str, number: str, field: str) -> Iterator[Violation]:
    """Each entry's event is on the topic, word for word, and none that has no entry."""
    entries = {
        (task, entry["sequence"]): entry[field]
        for task in evidence.lineages
        for entry in evidence.entries(task)
        if entry[field] is not None
    }
    first: dict[tuple[Any, ...], Any] = dict(first_of_each(evidence.of(topic), "task", number))
    for record in evidence.of(topic):
        event = record.json
        if event is None:
            continue
        key, where = (event["task"], event[number]), f"{topic}/{record.offset}"
        if key not in entries:
            yield Violation("G2", where, f"announces {key}, which is not in the store: a fork")
        elif event != entries[key]:
            yield Violation("G2", where, f"announces {key} in other words than its entry: a fork")
    for key in sorted(entries.keys() - first.keys()):
        yield Violation("G2", f"{key[0]}/{key[1]}", f"was never told on {topic}")
    last: dict[str, int] = {}
    for task, told in first:
        if told < last.get(task, -1):
            what = f"was told on {topic} after {last[task]}"
            yield Violation("G2", f"{task}/{told}", what)
        last[task] = told
