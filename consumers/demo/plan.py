"""What a demo streams: labeled texts in order, a test set that is held back, and questions."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from consumers.dataset_files import Columns
from consumers.datasets import LEFT_OUT, TEST, Row, load_dataset, normalised
from consumers.demo.headlines import generate_questions, generate_stream, generate_test_set
from consumers.settings import TasksFile
from schemas.labeled_text import LabeledText

TEST_SHARE = 0.15
GENERATED_WINDOWS = 12
GENERATED_TEST_RECORDS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the user asked for."""

    data: Path | None = None
    """File to stream; None generates headlines."""
    columns: Columns = field(default_factory=Columns)
    task: str | None = None
    window_records: int = 200
    report: Path | None = None
    out: Path = Path("demo-out")
    rate: float | None = None
    """Records a second whatever happens; None waits for the learner between windows."""
    limit: int | None = None
    questions_rate: float = 10.0
    """Texts a second that ask for a label."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The stream of one run."""

    name: str
    texts: Sequence[LabeledText]
    test_set: Sequence[LabeledText]
    questions: Iterator[tuple[str, str]]
    """Task and text of each text that will ask for a label, without end."""
    complaints: Sequence[str] = ()


def make_plan(options: DemoOptions) -> Plan:
    """Read or generate the stream and hold its test set back.

    Raises:
        DatasetError: the file cannot be used.
    """
    return _generated(options) if options.data is None else _of_file(options, options.data)


def write_tasks_file(path: Path, held: TasksFile, options: DemoOptions) -> None:
    """Write the YAML file for the roles: the user's, with the window size that was asked for.

    The generated stream is short: its encoder is refreshed twice, before and after the drift.
    """
    defaults: dict[str, Any] = {**held.defaults}
    if options.data is None:
        size = options.window_records
        refresh = {"first_after_records": 4 * size, "every_records": 9 * size // 2}
        defaults["refresh"] = {**refresh, **(held.defaults.get("refresh") or {})}
    window = {"records": options.window_records}
    defaults["window"] = {**(defaults.get("window") or {}), **window}
    tasks = {
        name: {**(task or {}), "window": {**((task or {}).get("window") or {}), **window}}
        for name, task in held.tasks.items()
    }
    text = yaml.safe_dump({"defaults": defaults, "tasks": tasks}, sort_keys=False)
    path.write_text(text, encoding="utf-8")


def hold_back(
    texts: Sequence[LabeledText], *, share: float, seed: int
) -> tuple[list[LabeledText], list[LabeledText]]:
    """Split into stream and test set by a hash of the normalised text: repeats stay together."""
    stream: list[LabeledText] = []
    test: list[LabeledText] = []
    for text in texts:
        key = hashlib.sha256(f"{seed}\n{normalised(text.text)}".encode(errors="replace"))
        drawn = int.from_bytes(key.digest()[:8], "big") / 2**64
        (test if drawn < share else stream).append(text)
    return stream, test


def _generated(options: DemoOptions) -> Plan:
    count = GENERATED_WINDOWS * options.window_records + options.window_records // 4
    texts = generate_stream(count, seed=options.seed)
    test_set = generate_test_set(GENERATED_TEST_RECORDS, seed=options.seed, stream=texts)
    task = options.task or texts[0].task
    renamed = [text.model_copy(update={"task": task}) for text in (*texts, *test_set)]
    return Plan(
        name="generated headlines",
        texts=renamed[:count][: options.limit],
        test_set=renamed[count:],
        questions=((task, text) for text in generate_questions(seed=options.seed)),
    )


def _of_file(options: DemoOptions, path: Path) -> Plan:
    dataset = load_dataset(path, columns=options.columns, task=options.task, seed=options.seed)
    texts, test_set = _parted(dataset.rows, options)
    asked = test_set or texts
    return Plan(
        name=path.name,
        texts=texts,
        test_set=test_set,
        questions=itertools.cycle([(text.task, text.text) for text in asked]),
        complaints=dataset.complaints(),
    )


def _parted(
    rows: Sequence[Row], options: DemoOptions
) -> tuple[Sequence[LabeledText], Sequence[LabeledText]]:
    """Stream and test set: by the file's own marks where it has test rows, else by hash."""
    marked = [row.labeled for row in rows if row.split in TEST]
    if marked:
        unmarked = [row.labeled for row in rows if row.split not in TEST | LEFT_OUT]
        return unmarked[: options.limit], marked
    labeled = [row.labeled for row in rows][: options.limit]
    texts, test_set = hold_back(labeled, share=TEST_SHARE, seed=options.seed)
    return texts or labeled, test_set  # a handful of rows: all of them are streamed
