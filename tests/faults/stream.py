"""What the producers of a campaign write: good, bad, repeated and oversized records, by a seed."""

import json
import random
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from tests.integration.texts import VERBS

TASKS = ("left", "right", "centre")
"""`left` and `right` keep to a partition each, `centre` comes on both."""
MAX_TEXT_CHARS = 2_000
PARTITIONS = 2

Intent = Literal["good", "duplicate", "corrected", "bad", "oversized"]
LABELS = tuple(VERBS)


class Planned(NamedTuple):
    """A record to be written, and what it is meant to be."""

    intent: Intent
    topic: str
    partition: int
    key: bytes
    value: bytes | None


def labeled_stream(seed: int) -> Iterator[Planned]:
    """An endless stream of labeled texts: of a hundred some 78 good, 8 repeated, 2 corrected."""
    draw = random.Random(f"labeled/{seed}")  # noqa: S311 - it must repeat, not surprise
    known: list[dict[str, Any]] = []
    number = 0
    while True:
        task = draw.choice(TASKS)
        partition = draw.randrange(PARTITIONS) if task == "centre" else TASKS.index(task)
        chance = draw.random()
        intent: Intent = "good"
        value: bytes | None
        if chance < 0.09:
            intent, value = "bad", _bad(draw, task)
        elif chance < 0.12:
            intent, value = "oversized", _fields(draw, task, number, pad=draw.randint(1, 50))
        elif chance < 0.22 and known:
            again = draw.choice(known[-60:])
            partition, task = again["partition"], again["task"]
            others = [label for label in LABELS if label not in again["labels"]]
            # Never back to a label that it had: then it could not be told from a repetition.
            intent = "corrected" if chance >= 0.20 and others else "duplicate"
            if intent == "corrected":
                again["label"] = draw.choice(others)
                again["labels"].append(again["label"])
            value = _value(again)
        else:
            fields = _record(task, number)
            known.append({**fields, "partition": partition, "labels": [fields["label"]]})
            value = _value(fields)
        number += 1
        yield Planned(intent, "labeled-texts", partition, task.encode(), value)


def asking_stream(seed: int) -> Iterator[Planned]:
    """An endless stream of texts that ask for a label; one of thirty is bad."""
    draw = random.Random(f"asking/{seed}")  # noqa: S311
    number = 0
    while True:
        task = draw.choice(TASKS)
        partition = draw.randrange(PARTITIONS) if task == "centre" else TASKS.index(task)
        if draw.random() < 1 / 30:
            yield Planned("bad", "texts", partition, task.encode(), b'{"task": "left"')
        else:
            text = f"{draw.choice(VERBS['up'])} {draw.choice(VERBS['down'])} {number}"
            fields = {"id": f"ask-{number}", "task": task, "text": text}
            yield Planned("good", "texts", partition, task.encode(), _value(fields))
        number += 1


def _record(task: str, number: int) -> dict[str, Any]:
    label = LABELS[number % len(LABELS)]
    first, second = (VERBS[label][number // step % 4] for step in (3, 12))
    text = f"{first} {second} {first} {task} {number}"
    return {"id": f"{task}-{number}", "task": task, "text": text, "label": label}


def _fields(draw: random.Random, task: str, number: int, *, pad: int) -> bytes:
    """A record whose text is over the limit, by up to a hundred kilobytes."""
    fields = _record(task, number)
    return _value({**fields, "text": fields["text"] + " rose" * (400 * pad) + str(draw.random())})


def _value(fields: dict[str, Any]) -> bytes:
    ours = {"partition", "labels"}
    return json.dumps({name: value for name, value in fields.items() if name not in ours}).encode()


def _bad(draw: random.Random, task: str) -> bytes | None:
    kinds: tuple[bytes | None, ...] = (
        b"{not JSON",
        b"",
        None,
        b"\xff\xfe\x00",
        b"[1, 2, 3]",
        _value({"task": task, "text": "sales rose"}),
        _value({"task": task, "text": " \t ", "label": "up"}),
        _value({"task": "No Such Name", "text": "sales rose", "label": "up"}),
        _value({"task": task, "text": "sales rose", "label": "x" * 300}),
        _value({"task": task, "text": "sales rose", "label": "up", "event_time": "yesterday"}),
    )
    return draw.choice(kinds)
