"""What the champion says of the records of a fit: the teacher of every distilling method."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.encoder import Encoder
from model.head import LinearHead


class Teacher:
    """The champion on N texts: one forward pass, when the first method asks for it.

    Args:
        encoder: the champion's.
        head: the champion's, solved or trained.
        texts: the N texts of the fit.
        taught: (C',) the columns of the head that have learned records, as indices.
    """

    def __init__(
        self, encoder: Encoder, head: LinearHead, texts: Sequence[str], taught: NDArray[np.int64]
    ) -> None:
        self.encoder = encoder
        self.head = head
        self._texts = texts
        self.taught = torch.from_numpy(taught).to(encoder.device)
        self._features: Tensor | None = None

    def features(self) -> Tensor:
        """(N, D), of unit length."""
        if self._features is None:
            found = self.encoder.features(self._texts)
            self._features = torch.from_numpy(found).to(self.encoder.device)
        return self._features

    def logits(self) -> Tensor:
        """(N, C') over the taught columns: at temperature 1, with mean 0 over the labels.

        A softmax of them gives the champion's scores; the mean is taken off since it means nothing,
        and differs between forms of a head.
        """
        scaled = self.head.logits(self.features().cpu().numpy()) / self.head.temperature
        taught = scaled[:, self.taught.cpu().numpy()]
        centred = taught - taught.mean(axis=1, keepdims=True)
        return torch.from_numpy(centred.astype(np.float32)).to(self.encoder.device)

    def answers(self, features: Tensor) -> Tensor:
        """(B, D) to (B, C') logits at temperature 1 over the taught columns, with a graph."""
        head, columns = self.head, [features]
        if (projection := head.projection) is not None:
            matrix = torch.from_numpy(projection.matrix.astype(np.float32)).to(features.device)
            columns.append((features @ matrix).relu() * projection.scale)
        weight = torch.from_numpy(head.weight).to(features.device)[self.taught]
        bias = torch.from_numpy(head.bias).to(features.device)[self.taught]
        return functional.linear(torch.cat(columns, dim=1), weight, bias) / head.temperature
