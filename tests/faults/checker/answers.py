"""G4: every text gets at least one prediction, in partition order, each by an announced version."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.faults.checker.evidence import Evidence, Position, Record, Violation
from tests.faults.checker.records import below_committed
from tests.faults.checker.rules import asking_text, id_of

TEXTS, PREDICTIONS, LETTERS, VERSIONS = (
    "texts",
    "predictions",
    "texts.dead-letters",
    "model-versions",
)


def check_answers(evidence: Evidence) -> Iterator[Violation]:
    """Every text that was not answered as it should be, and every answer that should not be."""
    announced = _announced(evidence)
    first: dict[tuple[str, str], Record] = {}
    for record in evidence.of(PREDICTIONS):
        answer = record.json
        first.setdefault((answer["task"], answer["id"]), record)
        yield from _stamp(answer, record, announced)
    dead = {(r.json["partition"], r.json["offset"]) for r in evidence.of(LETTERS)}
    asked = set()
    last: dict[tuple[int, int], int] = defaultdict(lambda: -1)
    for record in evidence.of(TEXTS):
        fields = asking_text(record.value, max_text_chars=evidence.max_text_chars)
        where, passed = f"{TEXTS}/{record.partition}/{record.offset}", _passed(evidence, record)
        if fields is None:
            if passed and record.position not in dead:
                yield Violation("G4", where, "invalid, and has no dead letter")
            continue
        given = id_of(fields, evidence.prefix + TEXTS, record.partition, record.offset)
        key = (fields["task"], given)
        answered = first.get(key)
        if record.position in dead:
            yield Violation("G4", where, "a valid text is among the dead letters")
        if answered is None:
            if passed:
                yield Violation("G4", where, "a text without an answer")
        elif key not in asked:
            way = record.partition, answered.partition
            if answered.offset < last[way]:
                yield Violation("G4", where, "was answered before a text that came earlier")
            last[way] = max(last[way], answered.offset)
        asked.add(key)
    for task, given in first.keys() - asked:
        yield Violation("G4", f"{task}: {given}", "an answer to a text that nobody asked")


def _announced(evidence: Evidence) -> dict[tuple[str, int], tuple[int, list[str]]]:
    """When each version was first announced, and its labels."""
    found: dict[tuple[str, int], tuple[int, list[str]]] = {}
    for record in evidence.of(VERSIONS):
        version = record.json
        if version is not None:
            key = version["task"], version["version"]
            found.setdefault(key, (record.timestamp, version["labels"]))
    return found


def _stamp(
    answer: dict[str, Any],
    record: Record,
    announced: dict[tuple[str, int], tuple[int, list[str]]],
) -> Iterator[Violation]:
    where = f"{PREDICTIONS}/{record.partition}/{record.offset}"
    key = answer["task"], answer["version"]
    if key not in announced:
        yield Violation("G4", where, f"answered by {key}, which was never announced")
        return
    when, labels = announced[key]
    if record.timestamp < when:
        yield Violation("G4", where, f"answered by {key} before it was announced")
    if set(answer["scores"]) != set(labels) or answer["label"] not in answer["scores"]:
        yield Violation("G4", where, f"its labels are not those of {key}")


def _passed(evidence: Evidence, record: Record) -> bool:
    position: Position = record.position
    return below_committed(evidence, TEXTS, position, role="serve")
