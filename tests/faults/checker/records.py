"""G1: every record below the committed offset is accounted for, exactly once.

A valid record is in one lineage entry of its task, as learned, held out, failed or a counted
duplicate; an invalid one has a dead letter. Retention may have deleted either meanwhile.
"""

import base64
from collections.abc import Iterator
from typing import Any

from tests.faults.checker.evidence import Evidence, Position, Record, Violation
from tests.faults.checker.ledger import Ledger, Valid
from tests.faults.checker.rules import id_of, labeled_text

LABELED, LETTERS = "labeled-texts", "labeled-texts.dead-letters"
WINDOWS, DEAD_WINDOWS = "training-windows", "training-windows.dead-letters"


def check_records(evidence: Evidence) -> Iterator[Violation]:
    """Every way in which the books of the labeled texts do not add up."""
    valid, invalid = sorted_out(evidence)
    yield from _letters(evidence, valid, invalid)
    tasks = {*valid, *evidence.lineages}
    for task in sorted(tasks):
        ledger = Ledger(evidence, task, valid.get(task, {}))
        yield from ledger.faults
        for position in sorted(valid.get(task, {})):
            if below_committed(evidence, LABELED, position) and position not in ledger.taken:
                where = f"{LABELED}/{position[0]}/{position[1]}"
                yield Violation("G1", where, f"a valid record of {task} is in no lineage entry")
    yield from _dead_windows(evidence)


def sorted_out(evidence: Evidence) -> tuple[dict[str, dict[Position, Valid]], list[Record]]:
    """The valid labeled texts by task and position, and the invalid ones."""
    valid: dict[str, dict[Position, Valid]] = {}
    invalid = []
    for record in evidence.of(LABELED):
        fields = labeled_text(record.value, max_text_chars=evidence.max_text_chars)
        if fields is None:
            invalid.append(record)
            continue
        topic = evidence.prefix + LABELED
        given = id_of(fields, topic, record.partition, record.offset)
        valid.setdefault(fields["task"], {})[record.position] = Valid(given, fields["label"])
    return valid, invalid


def below_committed(
    evidence: Evidence, topic: str, position: Position, role: str = "windows"
) -> bool:
    """Whether a role's group has passed a record."""
    return position[1] < evidence.committed.get(role, {}).get((topic, position[0]), 0)


def _letters(
    evidence: Evidence, valid: dict[str, dict[Position, Valid]], invalid: list[Record]
) -> Iterator[Violation]:
    letters: dict[Position, dict[str, Any]] = {}
    for record in evidence.of(LETTERS):
        letter = record.json
        position = letter["partition"], letter["offset"]
        same = letters.setdefault(position, letter)
        if _fault(same) != _fault(letter):
            yield Violation("G1", _at(position), "two dead letters say different things of it")
    for record in invalid:
        letter = letters.pop(record.position, None)
        if letter is None:
            if below_committed(evidence, LABELED, record.position):
                yield Violation("G1", _at(record.position), "invalid, and has no dead letter")
        elif _raw(letter["value"]) != record.value or _raw(letter["key"]) != record.key:
            yield Violation("G1", _at(record.position), "its dead letter holds other bytes")
    known = {position for of_task in valid.values() for position in of_task}
    for position in letters:
        what = "a valid record" if position in known else "a record that is not in the log"
        yield Violation("G1", _at(position), f"a dead letter of {what}")


def _dead_windows(evidence: Evidence) -> Iterator[Violation]:
    """Each window that was given up has a dead letter.

    One that has a letter and no such entry was learned when it came again after a crash.
    """
    windows = {r.position: r.json["window_id"] for r in evidence.of(WINDOWS) if r.value}
    dead = set()
    for record in evidence.of(DEAD_WINDOWS):
        position = record.json["partition"], record.json["offset"]
        dead.add(windows.get(position))
        if position not in windows:
            where = f"{WINDOWS}/{position[0]}/{position[1]}"
            yield Violation("G1", where, "a dead letter of a window that is not in the log")
    failed = {
        window
        for task in evidence.lineages
        for entry in evidence.entries(task)
        if entry["evaluation"]["outcome"] == "failed"
        for window in entry["windows"]
    }
    for window in sorted(failed - dead):
        yield Violation("G1", window, "given up in the lineage, and has no dead letter")


def _fault(letter: dict[str, Any]) -> tuple[Any, ...]:
    return letter["reason"], letter["key"], letter["value"]


def _raw(encoded: str | None) -> bytes | None:
    if encoded is None:
        return None
    # URL-safe or not: both alphabets are read.
    return base64.b64decode(encoded.replace("-", "+").replace("_", "/"))


def _at(position: Position) -> str:
    return f"{LABELED}/{position[0]}/{position[1]}"
