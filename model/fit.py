"""Fine-tunes an encoder: our own short loop, the same for every method.

The loop gets texts, labels and methods and gives a new encoder; it draws no records, knows no
method by name and keeps no state between fits. The softmax head beside the encoder carries the
gradients; a task that serves a trained head takes it, any other solves its head anew.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import utils
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from model.adapters import add_adapters, freeze_layers, merge_adapters
from model.attention import plain_attention
from model.config import FitConfig
from model.data import Progress
from model.early_stop import EarlyStop
from model.encoder import Encoder
from model.errors import NotFiniteError
from model.fit_model import FitModel
from model.fit_steps import Step, plan_steps
from model.head import LinearHead
from model.methods.base import (
    CrossEntropy,
    FitContext,
    Hook,
    Loss,
    Objective,
    Selection,
    StepHook,
    Transform,
    Weights,
)
from model.methods.teacher import Teacher
from model.optimiser import build_optimiser, learning_rate_factor
from model.vocabulary import narrowed, widened


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit did."""

    records: int
    """Records that were drawn, each counted once."""
    sample_steps: int
    """Records seen, counted once for each epoch."""
    optimiser_steps: int
    losses: tuple[float, ...]
    """Mean loss of each optimiser step."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Refitted:
    """What a fit gives."""

    encoder: Encoder
    head: LinearHead
    """The softmax head that was trained beside it, over features of unit length."""
    report: FitReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The head that serves with the encoder where a fit starts."""

    head: LinearHead
    taught: NDArray[np.int64]
    """(C',) its columns that have learned records."""


def fit_encoder(
    encoder: Encoder,
    texts: Sequence[str],
    labels: ArrayLike,
    num_labels: int,
    *,
    config: FitConfig,
    seed: int,
    objectives: Sequence[Objective] = (CrossEntropy(),),
    losses: Sequence[Loss] = (),
    hooks: Sequence[Hook] = (),
    transforms: Sequence[Transform] = (),
    head: LinearHead | None = None,
    champion: Champion | None = None,
    replayed: Sequence[bool] | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Refitted:
    """Fit a copy of the encoder to the labels; the encoder itself stays as it is.

    The same arguments give the same weights, bit by bit, on the same machine with the same number
    of threads.

    Args:
        encoder: where the fit starts.
        texts: N texts, at least one.
        labels: (N,), integers in [0, `num_labels`).
        num_labels: at least 2.
        config: of the optimiser and its schedule.
        seed: of the order of the records and of dropout.
        objectives: their sum is minimised, with those that the losses prepare.
        losses: of methods.
        hooks: of methods, called after each step in this order.
        transforms: of methods, applied to the fitted model in this order.
        head: where the softmax head starts, with a row for each label; None is zeros.
        champion: what serves with the encoder; None where nothing does.
        replayed: (N,) whether a record is an older one; None where none is.
        selection: held-out records for what chooses or stops.
        progress: told `fitting` with `step`, `steps` and `loss` after every optimiser step.

    Raises:
        NotFiniteError: a loss or a gradient is not finite.
        ValueError: texts, labels and `num_labels` do not fit together.
    """
    started = time.perf_counter()
    targets = _checked_targets(texts, labels, num_labels)
    start = narrowed(encoder, [*texts, *(selection.texts if selection else ())])
    context = FitContext(
        start=start,
        start_head=head,
        teacher=Teacher(start, champion.head, texts, champion.taught) if champion else None,
        texts=texts,
        targets=targets,
        replayed=np.array(replayed) if replayed is not None else np.zeros(len(texts), bool),
        num_labels=num_labels,
        selection=selection,
        seed=seed,
    )
    fitted = start.clone()
    rows = fitted.tokenize(texts)
    steps = plan_steps([len(row) for row in rows], config=config, seed=seed)
    with _reproducible(seed, fitted.device), plain_attention(fitted.module.transformer):
        prepared = [each for loss in losses if (each := loss.objective(context)) is not None]
        loop = _Loop(
            context,
            fitted,
            objectives=(*objectives, *prepared),
            hooks=hooks,
            config=config,
            progress=progress,
        )
        values = loop.run(rows, steps)
    found = (fitted, loop.model.trained_head())
    for transform in transforms:
        found = transform(context, *found)
    report = FitReport(
        records=len(texts),
        sample_steps=sum(len(batch) for step in steps[: len(values)] for batch in step),
        optimiser_steps=len(values),
        losses=tuple(values),
        seconds=time.perf_counter() - started,
    )
    return Refitted(widened(found[0], encoder), found[1], report)


class _Loop:
    """One fit, from the first step to the last."""

    def __init__(
        self,
        context: FitContext,
        fitted: Encoder,
        *,
        objectives: Sequence[Objective],
        hooks: Sequence[Hook],
        config: FitConfig,
        progress: Progress | None,
    ) -> None:
        self._context, self._fitted, self._config = context, fitted, config
        self._objectives, self._progress = objectives, progress
        freeze_layers(fitted.module, config.frozen_layers, trained=config.trained_layers)
        if config.lora_rank:
            add_adapters(fitted, config.lora_rank)
        self.model = FitModel(
            fitted,
            context.num_labels,
            context.start_head,
            precision=config.precision,
            dropout=config.dropout,
        )
        self._weights: Weights = {
            name: each for name, each in self.model.named_parameters() if each.requires_grad
        }
        self._hooks: list[StepHook] = [hook.start(self._weights) for hook in hooks]

    def run(self, rows: Sequence[Sequence[int]], steps: Sequence[Step]) -> list[float]:
        """The loss of each step that was taken."""
        optimiser = build_optimiser(self.model, self._config)
        schedule = LambdaLR(
            optimiser, lambda done: learning_rate_factor(done, len(steps), self._config)
        )
        stop = EarlyStop(self.model, self._context, self._fitted, patience=self._config.early_stop)
        values: list[float] = []
        self.model.train()
        for done, step in enumerate(steps, start=1):
            batches = [self._batch(rows, batch) for batch in step]
            values.append(self._step(batches, optimiser))
            schedule.step()
            for hook in self._hooks:
                hook.after_step(self._weights, done=done, steps=len(steps))
            if self._progress is not None:
                self._progress("fitting", step=done, steps=len(steps), loss=values[-1])
            if done % (len(steps) // self._config.epochs) == 0 and stop.after_epoch():
                break
        stop.restore()
        for hook in self._hooks:
            hook.finish(self._weights)
        self._fitted.module.eval()
        if self._config.lora_rank:
            merge_adapters(self._fitted)
        # What this fit froze, the next one may fit.
        self._fitted.module.requires_grad_(True)
        return values

    def _step(self, batches: Sequence[tuple[Tensor, ...]], optimiser: Optimizer) -> float:
        """One step on the mean loss over all records of the batches."""
        optimiser.zero_grad(set_to_none=True)
        records = sum(len(labels) for _, _, labels, _ in batches)
        total = torch.zeros((), device=self._fitted.device)
        for batch in batches:
            outcome = replace(self.model(*batch), weights=self._weights)
            loss = torch.stack([objective(outcome) for objective in self._objectives]).sum()
            share = loss * (len(outcome.labels) / records)
            share.backward()  # type: ignore[no-untyped-call]
            total += share.detach()
        self._clip(total)
        optimiser.step()
        return float(total)

    def _clip(self, loss: Tensor) -> None:
        """Scale the gradients down to the largest norm; nothing is written where they are below."""
        gradients = [each.grad for each in self._weights.values() if each.grad is not None]
        norm = utils.get_total_norm(gradients)
        if not torch.isfinite(loss + norm):
            msg = f"the fit diverged: loss {loss.item()}, gradient norm {norm.item()}"
            raise NotFiniteError(msg)
        if norm > self._config.max_gradient_norm:
            utils.clip_grads_with_norm_(
                self._weights.values(), self._config.max_gradient_norm, norm
            )

    def _batch(self, rows: Sequence[Sequence[int]], batch: list[int]) -> tuple[Tensor, ...]:
        ids, mask = self._fitted.padded([rows[index] for index in batch])
        records = torch.tensor(batch)
        labels = torch.from_numpy(self._context.targets)[records]
        return ids, mask, labels.to(self._fitted.device), records.to(self._fitted.device)


def _checked_targets(texts: Sequence[str], labels: ArrayLike, num_labels: int) -> NDArray[np.int64]:
    targets = np.asarray(labels, dtype=np.int64)
    if targets.shape != (len(texts),) or not len(texts) or num_labels < 2:
        msg = f"{len(texts)} texts, labels of shape {targets.shape}, {num_labels} labels: no fit"
        raise ValueError(msg)
    if targets.min() < 0 or targets.max() >= num_labels:
        msg = f"labels run from {targets.min()} to {targets.max()}, beyond {num_labels} labels"
        raise ValueError(msg)
    return targets


@contextmanager
def _reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seed dropout without touching the caller's generators, and take deterministic kernels.

    On CUDA cuBLAS also wants `CUBLAS_WORKSPACE_CONFIG` set before it starts, which is the
    process's business; without it torch warns instead of failing. Filling memory that is about to
    be written over, which torch does under this mode for those who read it unwritten, is left out:
    it costs a tenth of the time on a CPU.
    """
    devices = [device] if device.type == "cuda" else []
    deterministic: Any = torch.utils.deterministic  # its flag is added when it is imported
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        deterministic.fill_uninitialized_memory,
    )
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed % 2**63)
        torch.use_deterministic_algorithms(True, warn_only=True)
        deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            deterministic.fill_uninitialized_memory = before[2]
