"""How well do Avalanche's Replay, EWC and LwF learn the same stream from the same base model?

Takes the slices of a stream as files, one pair a slice, cuts the stream into the same windows, and
writes the figures of a backtest. Each window is an experience. Everything else is Avalanche as it
comes: a constant learning rate, one pass over each window's records an epoch, a linear classifier
that grows with the labels. Nothing is held out.

    .avalanche-venv/bin/python -m benchmarks.avalanche.strategies replay --out replay.json \
        --train a.train.jsonl b.train.jsonl --test a.test.jsonl b.test.jsonl
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from avalanche.benchmarks import tensors_benchmark
from avalanche.models import IncrementalClassifier
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.supervised import EWC, LwF, Replay
from torch import Tensor, nn

from model.backtest.report import PlanReport, WindowReport
from model.backtest.slice import Slice
from model.backtest.stream import Stream, stream_of
from model.config import TaskConfig
from model.data import Record
from model.encoder import Encoder
from model.precision import bfloat16_pays
from model.transfer import average_accuracy, forgetting
from schemas.labeled_text import LabeledText

EWC_LAMBDA = 100.0
"""Weight of the penalty; Avalanche's importances are squares of batch-mean gradients, so small."""
LWF_ALPHA, LWF_TEMPERATURE = 1.0, 2.0
"""As in Avalanche's own examples."""


class Classifier(nn.Module):
    """The pooled encoder with a linear classifier that grows with the labels.

    Its input is token ids (B, T), padded to the longest text of the stream, so that windows are
    tensors; a batch is cut to its own longest text before it runs, in bfloat16 where that
    pays, as in our fits.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.head = IncrementalClassifier(encoder.dim, initial_out_features=2)
        self._pad, self._scale = encoder.spec.pad_id, encoder.dim**0.5
        self._half = bfloat16_pays(encoder.device)
        self.sample_steps, self.forward_passes = 0, 0

    def forward(self, padded: Tensor) -> Tensor:
        """Logits (B, C); counts what learns and what only looks."""
        learns = self.training and torch.is_grad_enabled()
        self.sample_steps += len(padded) if learns else 0
        self.forward_passes += 0 if learns else len(padded)
        mask = (padded != self._pad).long()
        width = int(mask.sum(dim=1).max())
        with torch.autocast(padded.device.type, torch.bfloat16, enabled=self._half):
            features = self.encoder(padded[:, :width], mask[:, :width])
        logits: Tensor = self.head(features.float() * self._scale)
        return logits


def main() -> None:
    """Learn a stream under one strategy and write its figures."""
    given = _parser().parse_args()
    slices = [
        Slice(path.stem, _texts(path), _texts(test))
        for path, test in zip(given.train, given.test, strict=True)
    ]
    stream = stream_of("avalanche", slices, seed=given.seed)
    report = run_strategy(given.strategy, stream, given)
    given.out.write_text(report.model_dump_json() + "\n", encoding="utf-8")


def run_strategy(name: str, stream: Stream, given: argparse.Namespace) -> PlanReport:
    """Train on window after window; score each slice's test set behind the slice's last record."""
    torch.manual_seed(given.seed)
    config = TaskConfig()
    encoder = Encoder.load(config.encoder.base_model, config=config.encoder, device="cpu")
    labels = list(dict.fromkeys(record.label for record in stream.records))
    windows = [window.records for window in stream.windows(given.window)]
    width = max(len(row) for row in encoder.tokenize([r.text for r in stream.records]))
    tests = [_tensors(encoder, each.test, labels, width) for each in stream.slices]
    trains = [_tensors(encoder, held, labels, width) for held in windows]
    experiences = tensors_benchmark(
        train_tensors=trains,
        test_tensors=trains[:1],  # it wants one; we score by ourselves
        task_labels=[0] * len(windows),
        complete_test_set_only=True,
    ).train_stream
    model = Classifier(encoder)
    strategy = _strategy(name, model, given, config)
    ends, done = stream.ends(), 0
    matrix: list[list[float]] = []
    reports: list[WindowReport] = []
    prequential: list[float | None] = []
    for experience, held in zip(experiences, windows, strict=True):
        before = model.sample_steps, model.forward_passes
        right = _right(model, _tensors(encoder, held, labels, width)) if done else None
        prequential.append(None if right is None else sum(right) / len(right))
        began = time.perf_counter()
        strategy.train(experience)
        done += len(held)
        reports.append(
            WindowReport(
                records=done,
                prequential=prequential[-1],
                seconds=time.perf_counter() - began,
                peak_memory_bytes=_peak_memory(),
                sample_steps=model.sample_steps - before[0],
                forward_passes=model.forward_passes - before[1],
                rounds=[],
            )
        )
        while len(matrix) < len(ends) and ends[len(matrix)] <= done:
            flags = _scored(model, tests)
            matrix.append([sum(each) / len(each) for each in flags])
    return PlanReport(
        average_accuracy=average_accuracy(matrix),
        forgetting=forgetting(matrix),
        accuracy_matrix=matrix,
        accuracy_before=[0.0] * len(ends),
        prequential=prequential,
        seconds=sum(window.seconds for window in reports),
        sample_steps=model.sample_steps,
        forward_passes=sum(window.forward_passes for window in reports),
        peak_memory_bytes=_peak_memory(),
        windows=reports,
        test_right=flags,
        config={"strategy": name, "epochs": given.epochs, "memory": given.memory},
    )


def _strategy(name: str, model: Classifier, given: argparse.Namespace, config: TaskConfig) -> Any:
    fit = config.fit
    groups = [
        {"params": list(model.encoder.parameters()), "lr": fit.learning_rate},
        {"params": list(model.head.parameters()), "lr": fit.head_learning_rate},
    ]
    shared: dict[str, Any] = {
        "model": model,
        "optimizer": torch.optim.AdamW(groups, weight_decay=fit.weight_decay),
        "criterion": nn.CrossEntropyLoss(),
        "train_mb_size": fit.batch_size,
        "train_epochs": given.epochs,
        "evaluator": EvaluationPlugin(),
    }
    match name:
        case "replay":
            return Replay(mem_size=given.memory, **shared)
        case "ewc":
            return EWC(ewc_lambda=EWC_LAMBDA, **shared)
        case _:
            return LwF(alpha=LWF_ALPHA, temperature=LWF_TEMPERATURE, **shared)


def _tensors(
    encoder: Encoder, held: Iterable[Record | LabeledText], labels: Sequence[str], width: int
) -> tuple[Tensor, Tensor]:
    """Token ids (N, T) and labels (N,), -1 where the stream never brings the label."""
    texts = list(held)
    ids = torch.full((len(texts), width), encoder.spec.pad_id)
    for index, row in enumerate(encoder.tokenize([text.text for text in texts])):
        ids[index, : len(row)] = torch.tensor(row[:width])
    index_of = {label: index for index, label in enumerate(labels)}
    return ids, torch.tensor([index_of.get(text.label, -1) for text in texts])


def _scored(model: Classifier, tests: Iterable[tuple[Tensor, Tensor]]) -> list[list[bool]]:
    """The exam; what it costs is not counted."""
    held = model.forward_passes
    flags = [_right(model, test) for test in tests]
    model.forward_passes = held
    return flags


@torch.no_grad()
def _right(model: Classifier, test: tuple[Tensor, Tensor]) -> list[bool]:
    model.eval()
    ids, truth = test
    answers = torch.cat([model(batch).argmax(dim=1) for batch in torch.split(ids, 64)])
    flags: list[bool] = (answers == truth).tolist()
    return flags


def _texts(path: Path) -> tuple[LabeledText, ...]:
    return tuple(map(LabeledText.decode, path.read_bytes().splitlines()))


def _peak_memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("strategy", choices=("replay", "ewc", "lwf"))
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--window", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--memory", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
