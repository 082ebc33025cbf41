"""Each method against its equation, written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from model.encoder import Encoder
from model.head import LinearHead
from model.methods.average import RunningAverage
from model.methods.contrastive import Contrastive
from model.methods.derpp import DarkExperience
from model.methods.distillation import Distillation
from model.methods.ewc import ElasticWeights, diagonal_fisher
from model.methods.fusion import interpolated
from model.methods.importance import Weighted, leverages, losses
from model.methods.l2sp import Quadratic, StartingPoint
from model.methods.pruning import Pruning
from model.methods.replay import Replay
from model.methods.teacher import Teacher
from model.trained_head import trained_head
from tests.model.methods.test_contract import batch, context, fitted, records


def test_the_fisher_information_of_a_logistic_model_is_its_closed_form() -> None:
    """The mean of (y - p)^2 x^2; the square of the mean gradient would be another number."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(50, 3)), rng.normal(size=3)
    y = rng.integers(0, 2, size=50)
    leaf = torch.tensor(weight, requires_grad=True)
    signs = torch.from_numpy(2.0 * y - 1)

    found = diagonal_fisher(
        (
            torch.nn.functional.logsigmoid(sign * (row @ leaf))
            for row, sign in zip(torch.from_numpy(x), signs, strict=True)
        ),
        {"w": leaf},
    )["w"]

    per_record = (y - 1 / (1 + np.exp(-x @ weight)))[:, None] * x
    np.testing.assert_allclose(found.numpy(), (per_record**2).mean(axis=0))
    assert not np.allclose(found.numpy(), per_record.mean(axis=0) ** 2)


def test_elastic_weights_cost_half_lambda_times_fisher_times_square(encoder: Encoder) -> None:
    given = context(encoder)
    objective = ElasticWeights(3.0, 4).objective(given)
    assert isinstance(objective, Quadratic)
    assert objective.importance is not None
    seen = batch(given)  # every weight has moved by 0.01
    expected = 1.5 * sum(float(each.sum()) for each in objective.importance.values()) * 1e-4
    assert float(objective(seen)) == pytest.approx(expected, rel=1e-2)


def test_a_starting_point_costs_half_alpha_times_the_square(encoder: Encoder) -> None:
    given = context(encoder)
    objective = StartingPoint(2.0).objective(given)
    assert objective is not None
    moved = sum(each.numel() for each in given.start.module.parameters())
    assert float(objective(batch(given))) == pytest.approx(moved * 1e-4, rel=1e-2)


def test_distillation_is_the_divergence_from_softened_answers(encoder: Encoder) -> None:
    given = context(encoder)
    assert given.teacher is not None
    objective, seen = Distillation(0.7, 2.0).objective(given), batch(given)
    assert objective is not None
    assert seen.records is not None
    theirs = log_softmax(given.teacher.logits().numpy()[seen.records.numpy()] / 2, axis=1)
    ours = log_softmax(seen.logits.detach().numpy()[:, :2] / 2, axis=1)
    expected = 0.7 * 4 * (np.exp(theirs) * (theirs - ours)).sum(axis=1).mean()
    assert float(objective(seen)) == pytest.approx(expected, rel=1e-4)


def test_dark_experience_costs_replayed_records_alone(encoder: Encoder) -> None:
    given = context(encoder)
    assert given.teacher is not None
    objective = DarkExperience(0.3, 0.0).objective(given)
    assert objective is not None
    assert float(objective(batch(given, (1, 2, 4, 5)))) == 0.0
    seen = batch(given, (0, 3, 6))
    ours = seen.logits.detach().numpy()[:, :2]
    centred = ours - ours.mean(axis=1, keepdims=True)
    distance = ((centred - given.teacher.logits().numpy()[[0, 3, 6]]) ** 2).mean()
    # A third of the records is replayed, so that each stands for three.
    assert float(objective(seen)) == pytest.approx(3 * 0.3 * distance, rel=1e-4)


def test_the_contrastive_loss_is_its_equation(encoder: Encoder) -> None:
    seen = batch(context(encoder))
    features, labels = seen.features.detach().numpy().astype(float), seen.labels.numpy()
    costs = []
    for i in range(6):
        others = [a for a in range(6) if a != i]
        alike = [p for p in others if labels[p] == labels[i]]
        below = np.log(sum(np.exp(features[i] @ features[a] / 0.2) for a in others))
        if alike:
            costs.append(np.mean([below - features[i] @ features[p] / 0.2 for p in alike]))
    assert float(Contrastive(0.5, 0.2)(seen)) == pytest.approx(0.5 * np.mean(costs), rel=1e-4)


@pytest.mark.parametrize("projected", [0, 16])
def test_a_teacher_answers_as_its_head_does(encoder: Encoder, projected: int) -> None:
    rng = np.random.default_rng(1)
    head = LinearHead(
        weight=rng.normal(size=(3, encoder.dim + projected)).astype(np.float32),
        bias=rng.normal(size=3).astype(np.float32),
        temperature=0.5,
        form="ridge",
        penalty=1.0,
        projected=projected,
    )
    features = encoder.features(["sales rose", "demand fell"])
    teacher = Teacher(encoder, head, [], np.array([0, 2]))
    answers = teacher.answers(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(answers, head.logits(features)[:, [0, 2]] / 0.5, atol=1e-3)


def test_fusion_lies_between_start_and_end(encoder: Encoder) -> None:
    given = context(encoder)
    head = trained_head(np.ones((3, encoder.dim), np.float32), np.ones(3, np.float32))
    moved = given.start.clone()
    with torch.no_grad():
        for each in moved.module.parameters():
            each.add_(1.0)
    mixed, _ = interpolated(given, moved, head, 0.25)
    pairs = zip(mixed.module.parameters(), given.start.module.parameters(), strict=True)
    for ours, start in pairs:
        torch.testing.assert_close(ours, start + 0.25)


@pytest.mark.parametrize(
    ("method", "expected"),
    [(RunningAverage("tail", 0.5, 0.9), 3.5), (RunningAverage("exponential", 0.5, 0.5), 49 / 15)],
)
def test_a_running_average_is_the_mean_that_it_says(
    method: RunningAverage, expected: float
) -> None:
    """Weights 1, 2, 3, 4: the last two, or halved with each step."""
    weights = {"w": torch.zeros(1)}
    hook = method.start(weights)
    for done in range(1, 5):
        weights["w"].fill_(done)
        hook.after_step(weights, done=done, steps=4)
    hook.finish(weights)
    assert float(weights["w"]) == pytest.approx(expected)


def test_a_pruned_fit_has_the_zeros_that_were_asked_for(encoder: Encoder) -> None:
    pruned = fitted(encoder, hooks=[Pruning(0.4, 0.5)]).encoder
    for name, each in pruned.module.named_parameters():
        share = float((each == 0).float().mean())
        if "encoder.layer" in name and each.ndim == 2:
            assert share == pytest.approx(0.4, abs=1e-3), name
        elif "embeddings" in name and each.ndim == 2:
            assert share < 0.1, name


def test_what_pruning_keeps_is_the_largest() -> None:
    weights = {"layer.0.w": torch.tensor([[3.0, -1.0], [0.5, -4.0]]), "pooler.w": torch.ones(2, 2)}
    hook = Pruning(0.5, 1.0).start(weights)
    hook.after_step(weights, done=1, steps=1)
    assert weights["layer.0.w"].tolist() == [[3.0, 0.0], [0.0, -4.0]]
    assert weights["pooler.w"].all()


def test_leverages_add_up_to_the_effective_dimension() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 5))
    values = np.linalg.eigvalsh(rows.T @ rows)
    assert leverages(rows).sum() == pytest.approx((values / (values + 1)).sum())


def test_a_label_beyond_the_head_has_a_loss_of_its_own() -> None:
    head = trained_head(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    np.testing.assert_allclose(losses(head, np.ones((2, 4)), [0, 2]), [np.log(2), 1.0])


def test_records_are_drawn_in_proportion_to_their_weights() -> None:
    """One of two older records, with weights 3 and 1: three draws in four, within 4 sigma."""
    draw = Replay(1, 0.5, Weighted({"id-0": 3.0, "id-1": 1.0}))
    first = sum(draw(records(3), seed=seed)[0].id == "id-0" for seed in range(1000))
    assert abs(first - 750) < 4 * 13.7


def test_a_method_without_a_teacher_is_idle_where_one_label_is_known(encoder: Encoder) -> None:
    given = context(encoder)
    assert given.teacher is not None
    lone = Teacher(given.start, given.teacher.head, given.texts, np.array([0]))
    assert Distillation(1.0, 2.0).objective(replace(given, teacher=lone)) is None
