"""A trained softmax head serves: learned by refresh, kept by windows, extended to new labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from model.config import FitConfig, HeadConfig, RefreshConfig, TaskConfig
from model.data import Record
from model.encoder import Encoder
from model.fit import fit_encoder
from model.head import LinearHead
from model.trained_head import extended, trained_head
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, NEVER, TASK, Loop, part_of, stream
from tests.model.tiny import LABELS, labeled_texts

SOFTMAX = HeadConfig(form="softmax")
FIT = FitConfig(epochs=6, learning_rate=1e-3, head_learning_rate=1e-2)


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS, head=SOFTMAX, fit=FIT)


@pytest.fixture
def records() -> list[Record]:
    return stream(240)


def test_a_first_window_waits_for_the_fit_that_makes_the_first_version(
    loop: Loop, records: list[Record]
) -> None:
    first = loop.learn(records[:120])

    assert first.outcome is Outcome.SKIPPED
    assert "records for the next refresh" in first.evaluation.reason
    assert loop.state().statistics.num_records == first.evaluation.counts.learned > 0
    assert loop.learner.due(TASK, loop.config) == "softmax head learns by refresh"

    entry = loop.refresh(records)

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    head = loop.state().head
    assert head is not None
    assert head.form == "softmax"
    assert entry.evaluation.metrics["parity"] < 1e-4
    assert entry.evaluation.metrics["fit_records"] == first.evaluation.counts.learned
    assert entry.evaluation.metrics["fit_sample_steps"] == 6 * first.evaluation.counts.learned
    assert loop.learner.due(TASK, loop.config) is None


def test_a_window_keeps_the_head_and_makes_a_refresh_due(loop: Loop, records: list[Record]) -> None:
    loop.learn(records[:120])
    loop.refresh(records)
    before = loop.state().head

    entry = loop.learn([replace(record, label="new") for record in records[120:180]])

    assert entry.outcome is Outcome.SKIPPED
    assert entry.serving == 1
    assert loop.state().head is before
    assert loop.state().labels[-1] == "new"
    assert loop.learner.due(TASK, loop.config) == "softmax head learns by refresh"


def test_a_label_that_came_with_a_window_is_learned_by_the_next_refresh(
    loop: Loop, records: list[Record]
) -> None:
    loop.learn(records[:120])
    loop.refresh(records)
    new = [replace(record, label="new") for record in records[120:180]]
    loop.learn(new)

    entry = loop.refresh([*records[:120], *new])

    head = loop.state().head
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert head is not None
    assert head.num_labels == len(entry.labels) == 4


def test_state_and_head_survive_a_restart(loop: Loop, records: list[Record]) -> None:
    loop.learn(records[:120])
    loop.refresh(records)
    loop.learn(records[120:180])

    left, read = loop.state(), loop.state(loop.new_learner())

    assert left.head is not None
    assert read.head is not None
    assert read.head.to_bytes() == left.head.to_bytes()
    np.testing.assert_array_equal(read.statistics.gram, left.statistics.gram)


def test_nothing_is_due_before_two_labels_are_known(loop: Loop, records: list[Record]) -> None:
    loop.learn([replace(record, label="only") for record in records[:60]])
    assert loop.learner.due(TASK, loop.config) is None


def test_a_solved_head_follows_a_trained_one_when_the_config_changes(
    loop: Loop, records: list[Record]
) -> None:
    loop.learn(records[:120])
    loop.refresh(records)
    loop.config = loop.config.model_copy(update={"head": HeadConfig()})

    entry = loop.learn(records[120:180])

    head = loop.state().head
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert head is not None
    assert head.form == "discriminant"


def test_a_solved_head_serves_until_the_refresh_that_trains_its_successor(
    loop: Loop, records: list[Record]
) -> None:
    loop.config = loop.config.model_copy(update={"head": HeadConfig(projection=16)})
    first = loop.learn(records[:120])
    solved = loop.state().head
    assert first.outcome is Outcome.PROMOTED
    loop.config = loop.config.model_copy(update={"head": SOFTMAX})

    second = loop.learn(records[120:180])

    assert second.outcome is Outcome.SKIPPED
    assert loop.state().head is solved
    learned = [each.evaluation.counts.learned for each in (first, second)]
    assert loop.state().statistics.num_records == sum(learned)
    assert loop.learner.due(TASK, loop.config) == "softmax head learns by refresh"
    entry = loop.refresh(records)
    head = loop.state().head
    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.evaluation.metrics["fit_records"] == sum(learned)
    assert head is not None
    assert head.form == "softmax"
    assert head.projection is None


def test_a_head_that_cannot_be_trained_is_a_fault() -> None:
    with pytest.raises(ValidationError, match=r"refresh\.enabled is off"):
        TaskConfig(head=SOFTMAX, refresh=RefreshConfig(enabled=False))


def test_the_trained_head_says_what_the_fit_said(encoder: Encoder) -> None:
    """The scale of the fit is part of the weight: training texts are recognised through it."""
    texts, labels = labeled_texts(48)
    fitted = fit_encoder(encoder, texts, labels, len(LABELS), config=FIT, seed=1)
    features = fitted.encoder.features(texts)
    scores = fitted.head.scores(features)[np.arange(48), labels]
    assert -np.log(scores).mean() == pytest.approx(np.mean(fitted.report.losses[-3:]), rel=0.2)
    np.testing.assert_allclose(fitted.head.weight.mean(axis=0), 0, atol=1e-5)


def test_a_fit_goes_on_from_the_head_that_it_is_given(encoder: Encoder) -> None:
    texts, labels = labeled_texts(48)
    first = fit_encoder(encoder, texts, labels, len(LABELS), config=FIT, seed=1)
    still = FitConfig(epochs=1, learning_rate=1e-12, head_learning_rate=1e-12)
    second = fit_encoder(
        first.encoder, texts, labels, len(LABELS), config=still, seed=2, head=first.head
    )
    np.testing.assert_allclose(second.head.weight, first.head.weight, atol=1e-5)
    assert np.mean(second.report.losses) < np.mean(first.report.losses[:3])


def test_a_label_without_training_never_wins() -> None:
    rng = np.random.default_rng(0)
    head = trained_head(
        rng.normal(size=(3, 8)).astype(np.float32) - 5, rng.normal(size=3).astype(np.float32) - 5
    )
    wider = extended(head, 5)
    features = rng.normal(size=(200, 8))
    np.testing.assert_array_equal(wider.predict(features), head.predict(features))
    assert extended(head, 3) is head


def test_a_trained_head_is_read_back_bit_by_bit() -> None:
    rng = np.random.default_rng(0)
    head = trained_head(
        rng.normal(size=(3, 8)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    )
    read = LinearHead.from_bytes(head.to_bytes())
    assert read.form == "softmax"
    np.testing.assert_array_equal(read.weight, head.weight)


def test_a_round_that_was_set_apart_under_a_solved_head_is_learned_by_the_fit(
    tmp_path: Path, tiny_encoder_folder: Path, records: list[Record]
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, fit=FIT)
    loop.learn(records[:120])
    loop.config = loop.config.model_copy(update={"gate": NEVER})
    rejected = loop.learn(records[120:180])
    assert rejected.set_apart == (rejected.sequence,)
    loop.config = loop.config.model_copy(update={"gate": ALWAYS, "head": SOFTMAX})

    entry = loop.refresh(records)

    assert entry.outcome is Outcome.PROMOTED, entry.evaluation.reason
    assert entry.set_apart == ()
    learned = sum(part_of(loop, record.id) == "learn" for record in records[:180])
    assert entry.evaluation.metrics["fit_records"] == learned
    assert loop.state().statistics.num_records == pytest.approx(learned)
