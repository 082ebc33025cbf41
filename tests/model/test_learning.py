"""Learning pays: on real headlines, window after window, the head gets better and loses nothing."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.closed_form import oas_shrinkage
from model.config import EncoderConfig, HoldoutConfig, RefreshConfig, WindowConfig
from model.data import Record
from model.encoder import Encoder
from model.head import solve_discriminant
from model.lineage import LineageEntry
from model.predictor import FeatureExtractor, Predictor
from model.splits import normalise_text, split_of
from model.statistics import Statistics
from schemas.evaluation import Outcome
from tests.model.loop import Loop, a_record

NUM_LEARNED, NUM_TEST, WINDOW = 1200, 400, 200


@dataclass(frozen=True)
class Run:
    """A stream that was learned by the head alone, and texts that no version saw."""

    loop: Loop
    stream: Sequence[Record]
    test: Sequence[Record]
    entries: Sequence[LineageEntry]

    @property
    def promoted(self) -> list[LineageEntry]:
        return [entry for entry in self.entries if entry.outcome is Outcome.PROMOTED]

    @property
    def truth(self) -> NDArray[np.str_]:
        return np.array([record.label for record in self.test])


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    records = headlines(shared_data / "financial_phrasebank_50agree.jsonl.gz")
    stream, test = records[:NUM_LEARNED], records[NUM_LEARNED:]
    folder = tmp_path_factory.mktemp("learning")
    loop = Loop(
        folder,
        folder / "base",
        window=WindowConfig(records=WINDOW),
        encoder=EncoderConfig(),
        refresh=RefreshConfig(enabled=False),
        holdout=HoldoutConfig(),
    )
    starts = range(0, NUM_LEARNED, WINDOW)
    entries = [loop.learn(stream[start : start + WINDOW]) for start in starts]
    return Run(loop, stream, test, entries)


def headlines(file: Path) -> list[Record]:
    """Records in an order drawn by a seed; no text comes twice, so that none is in both parts."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = {normalise_text(row["text"]): row for row in map(json.loads, lines)}
    drawn = random.Random(7).sample(list(rows.values()), NUM_LEARNED + NUM_TEST)
    return [
        a_record(offset, text=row["text"], label=row["label"]) for offset, row in enumerate(drawn)
    ]


def answers(run: Run, *entries: LineageEntry) -> list[NDArray[np.str_]]:
    """What versions with the same encoder answer to the test set, from the files they serve."""
    fetch, texts = run.loop.store.fetch, [record.text for record in run.test]
    versions = [entry.version for entry in entries if entry.version is not None]
    cpu = ["CPUExecutionProvider"]
    extractor = FeatureExtractor(
        encoder=fetch(versions[0].encoder),
        tokenizer=fetch(versions[0].tokenizer),
        providers=cpu,
        threads=2,
    )
    return [
        np.array(
            [
                scored.label
                for scored in Predictor(
                    extractor=extractor,
                    head=fetch(version.head),
                    labels=version.labels,
                    version=version.sequence,
                    task=version.task,
                    providers=cpu,
                    threads=2,
                ).predict(texts)
            ]
        )
        for version in versions
    ]


def solved_at_once(records: Sequence[Record], test: Sequence[Record]) -> NDArray[np.str_]:
    """What one head answers that was solved from all these records together."""
    encoder = Encoder.load(EncoderConfig().base_model, config=EncoderConfig(), device="cpu")
    names = sorted({record.label for record in records})
    statistics = Statistics.of(
        encoder.features([record.text for record in records]),
        [names.index(record.label) for record in records],
        num_labels=len(names),
    )
    head = solve_discriminant(statistics, shrinkage=oas_shrinkage(statistics))
    return np.array(names)[head.predict(encoder.features([record.text for record in test]))]


def test_the_last_version_beats_the_first_and_the_most_frequent_label(run: Run) -> None:
    first, last = (
        np.mean(answered == run.truth)
        for answered in answers(run, run.promoted[0], run.promoted[-1])
    )
    frequent = Counter(record.label for record in run.stream).most_common(1)[0][0]
    print(f"first {first:.4f}, last {last:.4f}, frequent {np.mean(run.truth == frequent):.4f}")
    print([(e.outcome, e.evaluation.counts.learned) for e in run.entries])

    assert last > first > np.mean(run.truth == frequent)


def test_window_after_window_gives_the_head_that_all_records_give_at_once(run: Run) -> None:
    """Nothing is forgotten: the order and the cuts of the stream leave no trace."""
    salt, share = HoldoutConfig().salt, HoldoutConfig().share
    learned = [r for r in run.stream if split_of(r.text, salt=salt, share=share) == "learn"]

    (served,) = answers(run, run.promoted[-1])
    print(np.mean(served != solved_at_once(learned, run.test)), len(learned))

    assert np.mean(served != solved_at_once(learned, run.test)) <= 0.01
