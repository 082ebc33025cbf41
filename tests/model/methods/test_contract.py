"""What every method promises, whatever it does: one suite over all of them."""

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch

from model.config import RefreshConfig, TaskConfig
from model.data import Record
from model.methods import CrossEntropy, Draw, FitBatch, Newest, Objective, Replay, methods_of

METHODS = ("replay", "finetune")
DRAWS = (Newest(20), Replay(20, 0.5), Replay(20, 0.0), Replay(20, 0.9), Replay(3, 0.3))
OBJECTIVES = (CrossEntropy(),)


def records(count: int, labels: str = "abc") -> list[Record]:
    """Records in log order, labels taking turns."""
    turns = itertools.cycle(labels)
    return [
        Record(f"id-{n}", f"text {n}", next(turns), "t", 0, n, datetime(2026, 1, 1, tzinfo=UTC))
        for n in range(count)
    ]


def batch(num_records: int = 6, num_labels: int = 3) -> FitBatch:
    """Random features and logits, with gradients."""
    generator = torch.Generator().manual_seed(0)
    return FitBatch(
        torch.randn(num_records, 4, generator=generator),
        torch.randn(num_records, num_labels, generator=generator, requires_grad=True),
        torch.arange(num_records) % num_labels,
    )


@pytest.mark.parametrize("draw", DRAWS, ids=repr)
class TestEveryDraw:
    def test_it_never_exceeds_its_budget(self, draw: Draw) -> None:
        for count in (0, 1, 2, 19, 20, 21, 500):
            assert len(draw(records(count), seed=1)) <= draw.budget

    def test_it_spends_its_budget_where_there_is_enough(self, draw: Draw) -> None:
        assert len(draw(records(500), seed=1)) == draw.budget

    def test_it_never_returns_a_record_twice(self, draw: Draw) -> None:
        """Also where the log holds one twice: its last standing counts."""
        known = records(40)
        corrected = [replace(known[3], label="z"), replace(known[39], label="z")]
        chosen = draw([*known, *corrected, *corrected], seed=1)
        assert len({record.id for record in chosen}) == len(chosen)
        assert all(record.label == "z" for record in chosen if record.id in {"id-3", "id-39"})

    def test_it_chooses_among_what_it_is_given_and_keeps_the_order(self, draw: Draw) -> None:
        known = records(100)
        offsets = [record.offset for record in draw(known, seed=1)]
        assert offsets == sorted(offsets)
        assert set(draw(known, seed=1)) <= set(known)

    def test_the_same_seed_gives_the_same_choice(self, draw: Draw) -> None:
        assert draw(records(100), seed=3) == draw(records(100), seed=3)

    def test_the_order_of_older_records_does_not_change_the_choice(self, draw: Draw) -> None:
        """Partitions may be read in any order; only what is newest is a matter of order."""
        known = records(100)
        older, newest = known[:60], known[60:]
        random.Random(0).shuffle(older)  # noqa: S311
        assert set(draw([*older, *newest], seed=3)) == set(draw(known, seed=3))

    def test_the_newest_records_are_always_in(self, draw: Draw) -> None:
        known = records(100)
        assert set(known[-3:]) <= set(draw(known, seed=1))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
class TestEveryObjective:
    def test_it_is_a_finite_scalar_with_a_gradient(self, objective: Objective) -> None:
        given = batch()
        loss = objective(given)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.shape == ()
        assert torch.isfinite(loss)
        assert given.logits.grad is not None
        assert torch.isfinite(given.logits.grad).all()

    def test_the_same_batch_gives_the_same_loss(self, objective: Objective) -> None:
        assert torch.equal(objective(batch()), objective(batch()))

    def test_it_is_a_mean_over_records(self, objective: Objective) -> None:
        """A batch twice over costs what it cost once: accumulation weighs by records."""
        given = batch()
        twice = FitBatch(
            given.features.repeat(2, 1), given.logits.repeat(2, 1), given.labels.repeat(2)
        )
        torch.testing.assert_close(objective(twice), objective(given))


@pytest.mark.parametrize("name", METHODS)
def test_every_configured_method_has_a_plan(name: str) -> None:
    refresh = RefreshConfig(newest_records=30, replay_share=0.25)
    plan = methods_of(TaskConfig.model_validate({"method": name, "refresh": refresh}))
    assert plan.draw.budget == {"finetune": 30, "replay": 40}[name]
    assert plan.objectives
