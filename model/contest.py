"""A contest of two cheap fits under plans that a bandit chooses; the better one stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.adapters import num_layers
from model.arms import arms_of, reward
from model.bandit import Bandit
from model.budget import drawing, planned
from model.choice import MIN_TEMPERATURE_RECORDS
from model.config import TaskConfig
from model.data import Progress, Record
from model.due import plan_after
from model.encoder import Features
from model.errors import NotFiniteError
from model.head import LinearHead
from model.horizon import choosing
from model.methods import methods_of
from model.refit import MOST_SELECTION_RECORDS, Refitted, refitted
from model.selection import selection_error
from model.state import TaskState
from model.temperature import fit_temperature, log_losses
from model.trained_head import initial_head


@dataclass(frozen=True, slots=True)
class Contested:
    """The fit that goes on to the gate, and what its contest showed."""

    fitted: Refitted
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    """In words, to follow a reason."""
    bandit: Bandit | None = None
    """After the contest; None where there was none."""


def contested(
    state: TaskState,
    learned: Sequence[Record],
    *,
    seed: int,
    config: TaskConfig,
    progress: Progress,
) -> Contested:
    """Fit as planned; with `feedback.bandit`, the better of two plans at half the budget each.

    1. Choose two arms, by what earlier contests earned.
    2. Fit each from the same records with the same seed, on half the sample-steps of the plan.
    3. Compare the heads that were trained, each at its own temperature, on the selection records.

    Without two arms or enough selection records there is no contest.

    Args:
        state: with the encoder to start from, and the plan.
        learned: learned records, oldest first, to draw from.
        seed: of the choice, of both draws and of both fits.
        config: of the task.
        progress: told how far the fits are.

    Raises:
        NotFiniteError: every fit diverged.
    """
    plan = plan_after(state.tip)
    whole = planned(
        config, plan, records_seen=state.records_seen, error=selection_error(state, config)
    )
    exam = _Exam.of(state, config) if config.feedback.bandit else None
    arms = arms_of(plan, config, layers=num_layers(state.encoder.module))
    if exam is None or len(arms) < 2:
        fitted = refitted(state, learned, seed=seed, config=whole, progress=progress)
        return Contested(fitted)
    names = plan.bandit.chosen(list(arms), count=2, seed=seed)  # 1.
    budget = max(1, _steps_of(whole, learned, seed) // 2)
    tries = [  # 2.
        _tried(
            name,
            state,
            learned,
            exam=exam,
            seed=seed,
            config=drawing(arms[name].applied(config), budget),
            progress=progress,
        )
        for name in names
    ]
    tries.sort(key=lambda each: each.loss)  # 3.
    rewards = {
        each.name: reward(
            before=exam.before,
            after=each.loss,
            steps=each.steps,
            budget=budget,
            limits=config.feedback,
        )
        for each in tries
    }
    return _concluded(tries, rewards, exam=exam, bandit=plan.bandit)


@dataclass(frozen=True, slots=True)
class _Try:
    """A fit under one arm."""

    name: str
    fitted: Refitted | None
    """None where it diverged."""
    loss: float

    @property
    def steps(self) -> float:
        return self.fitted.report.sample_steps if self.fitted else 0.0


@dataclass(frozen=True, slots=True)
class _Exam:
    """The newest selection records of learned labels, and how the head where fits start does."""

    texts: Sequence[str]
    truth: NDArray[np.int64]
    """(M,), indices into `live`."""
    live: NDArray[np.int64]
    before: float
    """The log loss of that head under the champion's encoder, in nats a record."""

    @classmethod
    def of(cls, state: TaskState, config: TaskConfig) -> Self | None:
        """None where there are too few records, or no head to begin with."""
        start, index = initial_head(state, config.head), state.label_index()
        live = np.flatnonzero(state.statistics.counts > 0)
        rows = choosing(state, config.head)[-MOST_SELECTION_RECORDS:]
        if start is None or len(live) < 2 or len(rows) < MIN_TEMPERATURE_RECORDS:
            return None
        truth = np.searchsorted(live, [index[row.label] for row in rows])
        exam = cls([row.text for row in rows], truth, live, before=0.0)
        return replace(exam, before=exam.loss(start, state.holdout_features(rows)))

    def loss(self, head: LinearHead, features: Features) -> float:
        """Mean log loss of a head at the temperature that is best for it."""
        logits = head.logits(features)[:, self.live]
        temperature = fit_temperature(logits, self.truth)
        return float(log_losses(logits, self.truth, temperature=temperature).mean())


def _tried(
    name: str,
    state: TaskState,
    learned: Sequence[Record],
    *,
    exam: _Exam,
    seed: int,
    config: TaskConfig,
    progress: Progress,
) -> _Try:
    progress("contest", arm=name)
    try:
        fitted = refitted(state, learned, seed=seed, config=config, progress=progress)
    except NotFiniteError as error:
        progress("arm_diverged", arm=name, reason=str(error))
        return _Try(name, None, float("inf"))
    return _Try(name, fitted, exam.loss(fitted.head, fitted.encoder.features(exam.texts)))


def _steps_of(config: TaskConfig, learned: Sequence[Record], seed: int) -> int:
    """Sample-steps of the one fit in whose place the contest stands."""
    return len(methods_of(config).draw(learned, seed=seed)) * config.fit.epochs


def _concluded(
    tries: Sequence[_Try], rewards: Mapping[str, float], *, exam: _Exam, bandit: Bandit
) -> Contested:
    """The better of two, with the cost of both."""
    best, other = tries
    if best.fitted is None:
        raise NotFiniteError(f"the fits of {best.name} and of {other.name} both diverged")
    reports = [each.fitted.report for each in tries if each.fitted]
    report = replace(
        best.fitted.report,
        sample_steps=sum(each.sample_steps for each in reports),
        seconds=sum(each.seconds for each in reports),
    )
    metrics = {"bandit_loss_before": exam.before, f"bandit_won_{best.name}": 1.0}
    metrics |= {f"bandit_reward_{name}": earned for name, earned in rewards.items()}
    metrics |= {f"bandit_loss_{each.name}": each.loss for each in tries if each.fitted}
    said = " against ".join(
        f"{each.name} (log loss {each.loss:.3f}, reward {rewards[each.name]:.2f})" for each in tries
    )
    note = f"; fitted as {said}, {exam.before:.3f} before, n={len(exam.texts)}"
    return Contested(
        fitted=replace(best.fitted, report=report),
        metrics=metrics,
        note=note,
        bandit=bandit.rewarded(rewards),
    )
