"""One fit of `benchmarks.fit` in a process of its own: what it compares, and how it is timed."""

import argparse
import gzip
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from consumers.demo.headlines import generate_stream
from model.config import EncoderConfig, FitConfig
from model.encoder import Encoder
from model.fit import fit_encoder
from model.head import LinearHead
from model.precision import bfloat16_pays
from model.trained_head import trained_head

WARM_UP_RECORDS = 32
CONFIG = FitConfig()

Say = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Task:
    """Records to fit on, and others to be judged on."""

    labels: tuple[str, ...]
    train: Sequence[tuple[str, str]]
    test: Sequence[tuple[str, str]]

    def targets(self, rows: Sequence[tuple[str, str]]) -> list[int]:
        """The label of each row as a number."""
        return [self.labels.index(label) for _, label in rows]


def main() -> None:
    """Fit once, and print figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", choices=tuple(_FITS), required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(run_one(given.fit, a_task(given.data, given.records), given.seed)))


def a_task(data: Path | None, count: int) -> Task:
    """Half as many test records as there are to fit on, at least 300, from the same writer."""
    rows = _read(data) if data else [(r.text, r.label) for r in generate_stream(4000, seed=1)]
    random.Random(0).shuffle(rows)  # noqa: S311 - not a secret
    held = max(300, count // 2)
    labels = tuple(sorted({label for _, label in rows}))
    return Task(labels, train=rows[held : held + count], test=rows[:held])


def _read(path: Path) -> list[tuple[str, str]]:
    raw = path.read_bytes()
    held = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [(row["text"], row["label"]) for row in map(json.loads, held.splitlines())]


def run_one(name: str, task: Task, seed: int) -> dict[str, float]:
    """Fit once after a warm-up; loading the model and the libraries does not count."""
    config = EncoderConfig()
    encoder = Encoder.load(config.base_model, config=config)
    fit = _FITS[name]
    few = replace(task, train=task.train[:WARM_UP_RECORDS])
    fit(encoder, few, seed, lambda _done, _steps: None)
    wall, processor = time.perf_counter(), time.process_time()
    fitted, head = fit(encoder, task, seed, _progress(wall))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    answers = head.predict(fitted.features([text for text, _ in task.test]))
    samples = len(task.train) * CONFIG.epochs
    return {
        "samples_per_second": samples / wall,
        "samples_per_cpu_second": samples / processor,
        "accuracy": float((answers == np.array(task.targets(task.test))).mean()),
    }


def _progress(started: float) -> Say:
    """Say so after each tenth of the steps, and after the first: a hang must be seen."""

    def say(done: int, steps: int) -> None:
        if done == 1 or done * 10 // steps > (done - 1) * 10 // steps:
            words = f"  step {done} of {steps} after {time.perf_counter() - started:.1f} s"
            print(words, file=sys.stderr, flush=True)

    return say


def _ours(encoder: Encoder, task: Task, seed: int, say: Say) -> tuple[Encoder, LinearHead]:
    texts, targets = [text for text, _ in task.train], task.targets(task.train)

    def progress(_stage: str, /, **fields: Any) -> None:
        say(fields["step"], fields["steps"])

    done = fit_encoder(
        encoder, texts, targets, len(task.labels), config=CONFIG, seed=seed, progress=progress
    )
    return done.encoder, done.head


class _Classifier(nn.Module):
    """The same module and head as in our fit, in the form that Trainer takes."""

    def __init__(self, encoder: Encoder, num_labels: int) -> None:
        super().__init__()
        self.encoder = encoder.module
        self.head = nn.Linear(encoder.dim, num_labels, device=encoder.device)
        self.scale = encoder.dim**0.5
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        features = self.encoder(input_ids, attention_mask)
        logits = self.head(features * self.scale).float()
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class _Steps(transformers.TrainerCallback):
    """Tells how far Trainer is."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After each step of the optimiser."""
        self._say(state.global_step, state.max_steps)


def _trainer(
    encoder: Encoder,
    task: Task,
    seed: int,
    say: Say,
    *,
    dropout: float | None = None,
    optimiser: Callable[[_Classifier], torch.optim.Optimizer] | None = None,
    **settings: Any,
) -> tuple[Encoder, LinearHead]:
    fitted = encoder.clone()
    model = _Classifier(fitted, len(task.labels))
    for module in model.modules():
        if isinstance(module, nn.Dropout) and dropout is not None:
            module.p = dropout
    rows = fitted.tokenize([text for text, _ in task.train])
    data = [
        {"input_ids": row, "labels": label}
        for row, label in zip(rows, task.targets(task.train), strict=True)
    ]

    def collate(batch: list[dict[str, Any]]) -> dict[str, Tensor]:
        ids, mask = fitted.padded([item["input_ids"] for item in batch])
        labels = torch.tensor([item["labels"] for item in batch])
        return {"input_ids": ids.cpu(), "attention_mask": mask.cpu(), "labels": labels}

    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=CONFIG.batch_size,
                num_train_epochs=CONFIG.epochs,
                learning_rate=CONFIG.learning_rate,
                seed=seed,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                **settings,
            ),
            train_dataset=data,
            data_collator=collate,
            callbacks=[_Steps(say)],
            optimizers=(optimiser(model) if optimiser else None, None),
        ).train()
    fitted.module.eval()
    weight = model.head.weight.detach().cpu().numpy() * model.scale
    return fitted, trained_head(weight, model.head.bias.detach().cpu().numpy())


def _trainer_best(encoder: Encoder, task: Task, seed: int, say: Say) -> tuple[Encoder, LinearHead]:
    on_cpu = encoder.device.type == "cpu"
    return _trainer(
        encoder,
        task,
        seed,
        say,
        dropout=0.0,
        optimiser=_two_rates,
        use_cpu=on_cpu,  # bf16 on a CPU is refused without it
        bf16=bfloat16_pays(encoder.device),
        train_sampling_strategy="group_by_length",
        warmup_steps=CONFIG.warmup_share,
    )


def _two_rates(model: _Classifier) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [
            {"params": list(model.encoder.parameters()), "lr": CONFIG.learning_rate},
            {"params": list(model.head.parameters()), "lr": CONFIG.head_learning_rate},
        ],
        weight_decay=CONFIG.weight_decay,
        fused=True,
    )


_FITS = {"ours": _ours, "trainer": _trainer, "trainer-best": _trainer_best}

if __name__ == "__main__":
    main()
