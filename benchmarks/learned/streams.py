"""The streams that learning is measured on, drawn from the real data sets by a seed."""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers.backtest.slicing import SliceOptions

Row = dict[str, Any]

SLICES_OF_MOVIELENS = 5
TWO_LABELS = {"bullish": "positive", "bearish": "negative"}
POLARITY = {
    "very negative": "negative",
    "negative": "negative",
    "positive": "positive",
    "very positive": "positive",
}


@dataclass(frozen=True, slots=True)
class BenchStream:
    """A stream as a user would give it to `freshet backtest`."""

    slicing: SliceOptions
    window: int


_Maker = Callable[[Path, Path, int, random.Random, int], BenchStream]
"""Folder for the files, folder of the data, training records, chance, seed."""


def write_stream(name: str, folder: Path, data: Path, *, records: int, seed: int) -> BenchStream:
    """Write a stream's files into a folder.

    Args:
        name: one of `STREAMS`.
        folder: where files go; none of it is kept.
        data: the folder of the data sets.
        records: training records, about.
        seed: of the sample.
    """
    return STREAMS[name](folder, data, records, random.Random(seed), seed)  # noqa: S311


def _sentiment(
    folder: Path, data: Path, records: int, draw: random.Random, seed: int
) -> BenchStream:
    """Headlines, tweets about airlines, stock chatter: one file, and one slice, a writer."""
    each, files = records // 3, []
    for number, name in enumerate(
        ("financial_phrasebank_50agree", "airline_tweets", "stockemotions_sentiment")
    ):
        rows = [
            {**row, "label": TWO_LABELS.get(row["label"], row["label"])}
            for row in _read(data, name)
        ]
        train, test = _parted(rows, each, each // 2, draw)
        path = folder / f"{number}-{name}.jsonl"
        files.append(_write(path, [*_marked(train, "train"), *_marked(test, "test")]))
    return BenchStream(SliceOptions(files=tuple(files), task="sentiment", seed=seed), 500)


def _clinc150(
    folder: Path, data: Path, records: int, draw: random.Random, seed: int
) -> BenchStream:
    """Intents, domain after domain, so that labels grow; equally many records of each."""
    by_label: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _read(data, "clinc150"):
        if row["label"] != "oos" and row["split"] in {"train", "test"}:
            by_label[row["label"], row["split"]].append(row)
    each = {"train": records // 150, "test": max(1, records // 300)}
    chosen = [
        row
        for (_label, split), rows in by_label.items()
        for row in draw.sample(rows, min(len(rows), each[split]))
    ]
    domains = sorted({row["task"] for row in chosen})
    draw.shuffle(domains)
    draw.shuffle(chosen)
    chosen.sort(key=lambda row: domains.index(row["task"]))
    file = _write(folder / "clinc150.jsonl", chosen)
    options = SliceOptions(files=(file,), by="task", order="given", task="clinc150", seed=seed)
    return BenchStream(options, 500)


def _yelp(folder: Path, data: Path, records: int, draw: random.Random, seed: int) -> BenchStream:
    """Reviews as positive or negative: ten windows, each a slice, one test set for all."""
    rows = [
        {**row, "label": POLARITY[row["label"]]}
        for row in _read(data, "yelp_reviews5")
        if row["label"] in POLARITY
    ]
    window = round(records * 340 / 3000)  # 340 at the full size
    train, test = _parted(rows, 10 * window, 2 * window, draw)
    options = SliceOptions(
        files=(_write(folder / "yelp.jsonl", _marked(train, None)),),
        tests=(_write(folder / "yelp-test.jsonl", _marked(test, None)),),
        by="time:10",
        order="given",
        task="yelp",
        seed=seed,
    )
    return BenchStream(options, window)


def _movielens(
    folder: Path, data: Path, records: int, draw: random.Random, seed: int
) -> BenchStream:
    """Whether a user likes a film, over 22 years."""
    rows = draw.sample(_read(data, "movielens_small"), round(records / 0.85))
    file = _write(folder / "movielens.jsonl", rows)
    by = f"time:{SLICES_OF_MOVIELENS}"
    options = SliceOptions(files=(file,), by=by, order="time", task="movielens", seed=seed)
    return BenchStream(options, 500)


STREAMS: Mapping[str, _Maker] = {
    "sentiment": _sentiment,
    "clinc150": _clinc150,
    "yelp": _yelp,
    "movielens": _movielens,
}


def _read(data: Path, name: str) -> list[Row]:
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _parted(
    rows: Sequence[Row], train: int, test: int, draw: random.Random
) -> tuple[list[Row], list[Row]]:
    """Two samples without a text in common, each in the order that time or chance gives it."""
    distinct = list({" ".join(row["text"].casefold().split()): row for row in rows}.values())
    drawn = draw.sample(distinct, min(len(distinct), train + test))
    return drawn[test:], drawn[:test]


def _marked(rows: Iterable[Row], split: str | None) -> list[Row]:
    return [{**row, "split": split} for row in rows]


def _write(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
