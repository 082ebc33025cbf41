"""What every method promises, whatever it does: one suite over all of them."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import torch

from model.backtest.method_plans import PLANS, named
from model.config import FitConfig, RefreshConfig, TaskConfig
from model.data import Record
from model.encoder import Encoder
from model.fit import Champion, Refitted, fit_encoder
from model.methods import (
    CrossEntropy,
    Draw,
    FitBatch,
    FitContext,
    Loss,
    Newest,
    Objective,
    Replay,
    Selection,
    methods_of,
)
from model.methods.average import RunningAverage
from model.methods.contrastive import Contrastive
from model.methods.derpp import DarkExperience
from model.methods.distillation import Distillation
from model.methods.ewc import ElasticWeights
from model.methods.feature_distillation import FeatureDistillation
from model.methods.fusion import Fusion
from model.methods.importance import Weighted
from model.methods.l2sp import StartingPoint
from model.methods.pruning import Pruning
from model.methods.slices import by_slice
from model.methods.teacher import Teacher
from model.trained_head import trained_head
from model.vocabulary import narrowed
from tests.model.tiny import LABELS, labeled_texts

DRAWS = (
    Newest(20),
    Replay(20, 0.5),
    Replay(20, 0.0),
    Replay(20, 0.9),
    Replay(3, 0.3),
    Replay(20, 0.5, by_slice),
    Replay(20, 0.5, horizon_records=15),
    Replay(20, 0.5, Weighted()),
    Replay(20, 0.5, Weighted({f"id-{n}": 0.1 + n % 7 for n in range(90)})),
)
LOSSES: tuple[Loss, ...] = (
    DarkExperience(0.5, 0.5),
    Distillation(1.0, 2.0),
    FeatureDistillation(1.0),
    ElasticWeights(100.0, 8),
    StartingPoint(0.1),
    Contrastive(0.5, 0.2),
)
IDLE: tuple[Loss, ...] = (
    DarkExperience(0.0, 0.0),
    Distillation(0.0, 2.0),
    FeatureDistillation(0.0),
    ElasticWeights(0.0, 8),
    StartingPoint(0.0),
    Contrastive(0.0, 0.2),
)
TEXTS, TARGETS = labeled_texts(24)
CONFIG = FitConfig(epochs=2, batch_size=8, learning_rate=1e-3, head_learning_rate=1e-2)


def records(count: int, labels: str = "abc") -> list[Record]:
    """Records in log order, labels taking turns."""
    turns = itertools.cycle(labels)
    return [
        Record(f"id-{n}", f"text {n}", next(turns), "t", 0, n, datetime(2026, 1, 1, tzinfo=UTC))
        for n in range(count)
    ]


def champion(encoder: Encoder) -> Champion:
    """A head over two of the three labels."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(3, encoder.dim)).astype(np.float32)
    return Champion(head=trained_head(weight, np.zeros(3, np.float32)), taught=np.array([0, 1]))


def context(encoder: Encoder) -> FitContext:
    """A fit on 24 records, every third of them replayed."""
    start = narrowed(encoder, TEXTS)
    serves = champion(encoder)
    return FitContext(
        start=start,
        start_head=None,
        teacher=Teacher(start, serves.head, TEXTS, serves.taught),
        texts=TEXTS,
        targets=np.array(TARGETS),
        replayed=np.arange(24) % 3 == 0,
        num_labels=3,
        selection=Selection(TEXTS[:6], np.array(TARGETS[:6])),
        seed=5,
    )


def batch(given: FitContext, rows: Sequence[int] = (0, 1, 2, 3, 4, 9)) -> FitBatch:
    """Random features and logits of some of the records, and weights that have moved."""
    generator = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(
        torch.randn(24, given.start.dim, generator=generator), dim=1
    )
    logits = torch.randn(24, 3, generator=generator)
    chosen = torch.tensor(rows)
    weights = {
        f"encoder.{name}": (each.detach() + 0.01).requires_grad_()
        for name, each in given.start.module.named_parameters()
    }
    return FitBatch(
        features[chosen].clone().requires_grad_(),
        logits[chosen].clone().requires_grad_(),
        torch.from_numpy(given.targets)[chosen],
        chosen,
        weights,
    )


def fitted(encoder: Encoder, **methods: Any) -> Refitted:
    """A short fit with a champion behind it."""
    return fit_encoder(
        encoder,
        TEXTS,
        TARGETS,
        len(LABELS),
        config=CONFIG,
        seed=1,
        champion=champion(encoder),
        replayed=[index % 3 == 0 for index in range(24)],
        selection=Selection(TEXTS[:6], np.array(TARGETS[:6])),
        **methods,
    )


@pytest.fixture(scope="module")
def plain(encoder: Encoder) -> Refitted:
    """The fit without any method."""
    return fitted(encoder)


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


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryLoss:
    def test_it_is_a_finite_scalar_with_a_gradient(self, loss: Loss, encoder: Encoder) -> None:
        given = context(encoder)
        objective, seen = loss.objective(given), batch(given)
        assert objective is not None
        value = objective(seen)
        leaves = [seen.features, seen.logits, *seen.weights.values()]
        gradients = [
            each
            for each in torch.autograd.grad(value, leaves, allow_unused=True)
            if each is not None
        ]
        assert value.shape == ()
        assert torch.isfinite(value)
        assert gradients
        assert all(torch.isfinite(each).all() for each in gradients)

    def test_the_same_context_gives_the_same_objective(self, loss: Loss, encoder: Encoder) -> None:
        values = [_value(loss.objective(given), given) for given in 2 * [context(encoder)]]
        assert values[0] == values[1] > 0

    def test_it_is_a_mean_over_records(self, loss: Loss, encoder: Encoder) -> None:
        """A batch twice over costs what it cost once: accumulation weighs by records."""
        if isinstance(loss, Contrastive):
            pytest.skip("it compares the records of a batch with each other")
        given = context(encoder)
        objective = loss.objective(given)
        assert objective is not None
        twice = objective(batch(given, (0, 1, 3, 0, 1, 3)))
        torch.testing.assert_close(twice, objective(batch(given, (0, 1, 3))))

    def test_it_changes_the_fit_and_the_same_seed_repeats_it(
        self, loss: Loss, encoder: Encoder, plain: Refitted
    ) -> None:
        first, second = fitted(encoder, losses=[loss]), fitted(encoder, losses=[loss])
        assert first.encoder.files() == second.encoder.files()
        assert first.encoder.digest != plain.encoder.digest
        assert all(np.isfinite(first.report.losses))


@pytest.mark.parametrize("loss", IDLE, ids=repr)
def test_no_loss_has_an_effect_at_weight_zero(
    loss: Loss, encoder: Encoder, plain: Refitted
) -> None:
    idle = fitted(encoder, losses=[loss])
    assert idle.encoder.files() == plain.encoder.files()
    assert idle.report.losses == plain.report.losses


@pytest.mark.parametrize("loss", LOSSES[:4], ids=repr)
def test_a_loss_that_needs_a_champion_is_idle_before_the_first_version(
    loss: Loss, encoder: Encoder
) -> None:
    assert loss.objective(replace(context(encoder), teacher=None)) is None


@pytest.mark.parametrize(
    ("role", "working", "idle"),
    [
        ("hooks", RunningAverage("tail", 0.5, 0.9), RunningAverage("tail", 1e-9, 0.9)),
        ("hooks", RunningAverage("exponential", 0.5, 0.5), None),
        ("hooks", Pruning(0.4, 0.5), Pruning(0.0, 0.5)),
        ("transforms", Fusion((0.5,)), Fusion((1.0,))),
    ],
)
def test_what_works_on_weights_repeats_itself_and_does_nothing_at_zero(
    role: str, working: object, idle: object, encoder: Encoder, plain: Refitted
) -> None:
    first, second = (fitted(encoder, **{role: [working]}) for _ in range(2))
    assert first.encoder.files() == second.encoder.files()
    assert first.encoder.digest != plain.encoder.digest
    if idle is not None:
        assert fitted(encoder, **{role: [idle]}).encoder.files() == plain.encoder.files()


def test_cross_entropy_is_the_log_loss_of_the_labels(encoder: Encoder) -> None:
    seen = batch(context(encoder))
    scores = torch.softmax(seen.logits, dim=1)[torch.arange(6), seen.labels]
    torch.testing.assert_close(CrossEntropy()(seen), -scores.log().mean())


@pytest.mark.parametrize("name", ["finetune", "replay", "slices", "hard", "leverage"])
def test_every_configured_draw_has_a_plan(name: str) -> None:
    refresh = RefreshConfig(newest_records=30, replay_share=0.25)
    plan = methods_of(TaskConfig.model_validate({"method": name, "refresh": refresh}))
    assert plan.draw.budget == (30 if name == "finetune" else 40)


@pytest.mark.parametrize("name", PLANS)
def test_every_named_plan_is_a_configuration_unlike_the_default(name: str) -> None:
    assert TaskConfig.model_validate(named(name)) != TaskConfig()


def test_a_plan_that_nobody_named_is_a_fault() -> None:
    with pytest.raises(ValueError, match="'none'; there are finetune, replay"):
        named("none")


def _value(objective: Objective | None, given: FitContext) -> float:
    assert objective is not None
    return float(objective(batch(given)))
