"""Ends a fit when selection records no longer gain from it, with the best weights that it had."""

import torch
from torch import Tensor
from torch.nn import functional

from model.batching import batches_by_length
from model.encoder import MAX_STRETCH, Encoder
from model.fit_model import FitModel
from model.methods.base import FitContext


class EarlyStop:
    """Watches the loss on selection records, epoch by epoch (Prechelt 1998, criterion UP).

    Args:
        model: what is fitted.
        context: with the selection records; without any it never stops.
        encoder: tokenizer and batch size of these.
        patience: epochs without a lower loss after which to stop; 0 never stops.
    """

    def __init__(
        self, model: FitModel, context: FitContext, encoder: Encoder, *, patience: int
    ) -> None:
        self._model, self._encoder, self._patience = model, encoder, patience
        self._selection = context.selection if patience else None
        self._best_loss = float("inf")
        self._best: dict[str, Tensor] = {}
        self._waited = 0

    def after_epoch(self) -> bool:
        """Whether to stop now."""
        if self._selection is None:
            return False
        loss = self._loss()
        if loss < self._best_loss:
            self._best_loss, self._waited = loss, 0
            self._best = {name: each.clone() for name, each in self._model.state_dict().items()}
        else:
            self._waited += 1
        return self._waited >= self._patience

    def restore(self) -> None:
        """Put back the weights of the best epoch, where one was watched."""
        if self._best:
            self._model.load_state_dict(self._best)

    @torch.no_grad()
    def _loss(self) -> float:
        """Mean log loss over the selection records."""
        if self._selection is None:
            return float("nan")
        self._model.eval()
        rows = self._encoder.tokenize(self._selection.texts)
        total = 0.0
        for batch in batches_by_length(
            [len(row) for row in rows],
            max_tokens=self._encoder.batch_tokens,
            max_stretch=MAX_STRETCH,
        ):
            ids, mask = self._encoder.padded([rows[index] for index in batch])
            labels = torch.from_numpy(self._selection.targets[batch]).to(ids.device)
            logits = self._model(ids, mask, labels).logits
            total += functional.cross_entropy(logits, labels, reduction="sum").item()
        self._model.train()
        return total / len(rows)
