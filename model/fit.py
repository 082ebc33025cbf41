"""Fine-tunes an encoder: our own short loop, the same for every method.

The loop gets texts, labels and objectives and gives a new encoder; it draws no records, knows no
method and keeps no state between fits. The softmax head beside the encoder only carries gradients:
it is thrown away, and the head that serves is solved anew.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from model.config import FitConfig
from model.data import Progress
from model.encoder import Encoder
from model.errors import NotFiniteError
from model.methods.base import CrossEntropy, FitBatch, Objective

Step = list[list[int]]
"""The batches of one optimiser step, each a list of record indices."""

_BUCKET_STEPS = 16
"""Steps' worth of shuffled records that are sorted by length together: enough to save most of the
padding, few enough to leave what a batch holds to chance."""


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit did."""

    sample_steps: int
    """Records seen, counted once for each epoch."""
    optimiser_steps: int
    losses: tuple[float, ...]
    """Mean loss of each optimiser step."""
    seconds: float
    head: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Weights (C, D) over features of unit length, and bias (C,), of the softmax head."""


class FitModel(nn.Module):
    """The encoder's module with a linear softmax head for the time of a fit.

    Features have unit length; they are scaled by the root of their width, so that a coordinate has
    unit size on average and the usual learning rates of a linear head fit.
    """

    def __init__(self, encoder: Encoder, num_labels: int) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.head = nn.Linear(encoder.dim, num_labels, device=encoder.device)
        self._scale = math.sqrt(encoder.dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> FitBatch:
        """A forward pass, the transformer in bf16 on CUDA."""
        with torch.autocast(input_ids.device.type, torch.bfloat16, enabled=input_ids.is_cuda):
            features = self.encoder(input_ids, attention_mask)
        return FitBatch(features, self.head(features * self._scale), labels)

    def head_over_features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The softmax head's weights (C, D) and bias (C,) for features of unit length."""
        weight = self.head.weight.detach() * self._scale
        return weight.cpu().numpy(), self.head.bias.detach().cpu().numpy()


def fit_encoder(
    encoder: Encoder,
    texts: Sequence[str],
    labels: ArrayLike,
    num_labels: int,
    *,
    config: FitConfig,
    seed: int,
    objectives: Sequence[Objective] = (CrossEntropy(),),
    progress: Progress | None = None,
) -> tuple[Encoder, FitReport]:
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
        objectives: their sum is minimised.
        progress: told `fitting` with `step`, `steps` and `loss` after every optimiser step.

    Raises:
        NotFiniteError: a loss or a gradient is not finite.
        ValueError: texts, labels and `num_labels` do not fit together.
    """
    started = time.perf_counter()
    targets = _checked_targets(texts, labels, num_labels)
    fitted = encoder.clone()
    rows = fitted.tokenize(texts)
    steps = plan_steps([len(row) for row in rows], config=config, seed=seed)
    losses = []
    with _reproducible(seed, fitted.device):
        model = FitModel(fitted, num_labels).train()
        _set_dropout(model, config.dropout)
        optimiser = build_optimiser(model, config)
        schedule = LambdaLR(optimiser, lambda done: learning_rate_factor(done, len(steps), config))
        for number, step in enumerate(steps, start=1):
            batches = [_batch(fitted, rows, targets, batch) for batch in step]
            losses.append(_optimiser_step(model, batches, objectives, optimiser, config))
            schedule.step()
            if progress is not None:
                progress("fitting", step=number, steps=len(steps), loss=losses[-1])
    fitted.module.eval()
    return fitted, FitReport(
        sample_steps=len(texts) * config.epochs,
        optimiser_steps=len(steps),
        losses=tuple(losses),
        seconds=time.perf_counter() - started,
        head=model.head_over_features(),
    )


def plan_steps(lengths: Sequence[int], *, config: FitConfig, seed: int) -> list[Step]:
    """Which records each optimiser step sees: every record once an epoch, like lengths together."""
    generator = np.random.default_rng(seed)
    size = config.batch_size * config.accumulate
    steps: list[Step] = []
    for _ in range(config.epochs):
        order = generator.permutation(len(lengths)).tolist()
        epoch: list[Step] = []
        for bucket in _chunks(order, size * _BUCKET_STEPS):
            bucket.sort(key=lengths.__getitem__)
            epoch += [_chunks(step, config.batch_size) for step in _chunks(bucket, size)]
        steps += [epoch[index] for index in generator.permutation(len(epoch))]
    return steps


def _set_dropout(model: nn.Module, share: float) -> None:
    """Attention asks its own dropout module for the share too."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def build_optimiser(model: FitModel, config: FitConfig) -> Optimizer:
    """The configured optimiser; biases and norms do not decay, the head has its own rate."""
    parameters = [each for each in model.encoder.parameters() if each.requires_grad]
    rate, head_rate, decay = config.learning_rate, config.head_learning_rate, config.weight_decay
    groups: list[dict[str, Any]] = [
        {"params": [each for each in parameters if each.ndim > 1], "lr": rate},
        {
            "params": [each for each in parameters if each.ndim <= 1],
            "lr": rate,
            "weight_decay": 0.0,
        },
        {"params": list(model.head.parameters()), "lr": head_rate},
    ]
    # One pass over the parameters: on the CPU the step itself is 8 times as fast.
    fused = model.head.weight.device.type in {"cpu", "cuda"} or None
    match config.optimiser:
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay, fused=fused)
        case "adam":
            return torch.optim.Adam(groups, weight_decay=decay, fused=fused)
        case "sgd":
            return torch.optim.SGD(groups, weight_decay=decay, fused=fused)
        case "momentum":
            return torch.optim.SGD(groups, momentum=0.9, weight_decay=decay, fused=fused)
        case "adagrad":
            return torch.optim.Adagrad(groups, weight_decay=decay)


def learning_rate_factor(done: int, steps: int, config: FitConfig) -> float:
    """Rises over the first `warmup_share` of the steps to 1, then falls in a line towards 0."""
    warmup = math.ceil(steps * config.warmup_share)
    if done < warmup:
        return (done + 1) / warmup
    return max(0.0, (steps - done) / max(1, steps - warmup))


def _optimiser_step(
    model: FitModel,
    batches: Sequence[tuple[Tensor, Tensor, Tensor]],
    objectives: Sequence[Objective],
    optimiser: Optimizer,
    config: FitConfig,
) -> float:
    """One step on the mean loss over all records of the batches."""
    optimiser.zero_grad(set_to_none=True)
    records = sum(len(labels) for _, _, labels in batches)
    total = 0.0
    for ids, mask, labels in batches:
        outcome = model(ids, mask, labels)
        loss = torch.stack([objective(outcome) for objective in objectives]).sum()
        share = loss * (len(labels) / records)
        share.backward()  # type: ignore[no-untyped-call]
        total += share.item()
    norm = nn.utils.clip_grad_norm_(model.parameters(), config.max_gradient_norm)
    if not math.isfinite(total) or not torch.isfinite(norm):
        msg = f"the fit diverged: loss {total}, gradient norm {norm.item()}"
        raise NotFiniteError(msg)
    optimiser.step()
    return total


def _batch(
    encoder: Encoder, rows: Sequence[Sequence[int]], targets: NDArray[np.int64], batch: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    ids, mask = encoder.padded([rows[index] for index in batch])
    return ids, mask, torch.from_numpy(targets[batch]).to(encoder.device)


def _checked_targets(texts: Sequence[str], labels: ArrayLike, num_labels: int) -> NDArray[np.int64]:
    targets = np.asarray(labels, dtype=np.int64)
    if targets.shape != (len(texts),) or not len(texts) or num_labels < 2:
        msg = f"{len(texts)} texts, labels of shape {targets.shape}, {num_labels} labels: no fit"
        raise ValueError(msg)
    if targets.min() < 0 or targets.max() >= num_labels:
        msg = f"labels run from {targets.min()} to {targets.max()}, beyond {num_labels} labels"
        raise ValueError(msg)
    return targets


def _chunks(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@contextmanager
def _reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seed dropout without touching the caller's generators, and take deterministic kernels.

    On CUDA cuBLAS also wants `CUBLAS_WORKSPACE_CONFIG` set before it starts, which is the
    process's business; without it torch warns instead of failing.
    """
    devices = [device] if device.type == "cuda" else []
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed % 2**63)
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
