"""Writes a version as two graphs, encoder and head, and proves that they say what torch says.

The proof runs the very files that will be stored, through the session settings of a follower.
"""

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from model.encoder import Encoder
from model.errors import ArtifactRefusedError, NotFiniteError, ParityError
from model.onnx_session import Device, providers_for
from model.onnx_template import (
    ExportError,
    Template,
    export_template,
    load_template,
    tensor_bytes,
)
from model.predictor import FeatureExtractor, Predictor
from model.projection import Projection

__all__ = [
    "ExportError",
    "ParityProver",
    "Template",
    "encoder_graph",
    "export_template",
    "head_graph",
    "load_template",
]

OPSET = 20
IR_VERSION = 10
"""What onnxruntime has read since 1.18, so that an older follower can load a head too."""
TOLERANCE = 1e-4
"""Largest difference of a score between torch and the graphs that counts as the same."""


class ScoringHead(Protocol):
    """The head that was solved, whose graph is to be proven."""

    def scores(self, features: NDArray[np.float32], /) -> NDArray[np.float64]:
        """(N, D) to (N, C); rows sum to one."""
        ...


def encoder_graph(template: Template, encoder: Encoder) -> bytes:
    """The encoder as ONNX: the template with the encoder's tensors written in.

    `input_ids`, `attention_mask` int64 (B, T) to `features` float32 (B, D).

    Raises:
        ExportError: the template belongs to another architecture.
    """
    state = encoder.module.transformer.state_dict()
    model = ModelProto.FromString(template.graph)
    for initializer in model.graph.initializer:
        binding = template.bindings.get(initializer.name)
        if binding is None:
            continue
        if binding.parameter not in state:
            raise ExportError(f"the encoder has no parameter {binding.parameter}")
        raw = tensor_bytes(state[binding.parameter], transposed=binding.transposed)
        if len(raw) != 4 * int(np.prod(initializer.dims)):
            raise ExportError(f"{binding.parameter} has another shape in the template")
        initializer.raw_data = raw
    return cast("bytes", model.SerializeToString(deterministic=True))


def head_graph(
    weight: ArrayLike,
    bias: ArrayLike,
    temperature: float,
    *,
    projection: Projection | None = None,
) -> bytes:
    """The head as ONNX: `features` float32 (B, D) to `scores` float32 (B, C).

    The scores are `softmax((features @ weight.T + bias) / temperature)`, with the features expanded
    first where the head is projected. The projection travels with the head, 2 D P bytes, not with
    the encoder: heads on plain and on projected features share one encoder graph.

    What all labels have in common is taken out of weight and bias first: the softmax does not see
    it, and a discriminant's large common part would cost the digits of float32 that tell the labels
    apart. Of the bias the largest is taken, not the mean: a label without records lies 10^4 below,
    and would lift the others to where float32 has no digits left.

    Args:
        weight: (C, D), or (C, D + P) where projected.
        bias: (C,).
        temperature: above 0.
        projection: what expands the features.
    """
    wide = np.asarray(weight, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    weights = (wide[0] - wide[0].mean(axis=0)).astype(np.float32)
    biases = (wide[1] - wide[1].max()).astype(np.float32)
    num_labels, width = weights.shape
    dim = width - (projection.size if projection else 0)
    expanded, nodes, constants = _expansion(projection)
    nodes += [
        helper.make_node("Gemm", [expanded, "weight", "bias"], ["logits"], transB=1),
        helper.make_node("Div", ["logits", "temperature"], ["calibrated"]),
        helper.make_node("Softmax", ["calibrated"], ["scores"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", dim])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", num_labels])],
        [
            *constants,
            numpy_helper.from_array(weights, "weight"),
            numpy_helper.from_array(biases, "bias"),
            numpy_helper.from_array(np.array(temperature, dtype=np.float32), "temperature"),
        ],
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    checker.check_model(model)
    return cast("bytes", model.SerializeToString(deterministic=True))


def _expansion(
    projection: Projection | None,
) -> tuple[str, list[NodeProto], list[TensorProto]]:
    """The value that the head reads, and the nodes and constants that make it."""
    if projection is None:
        return "features", [], []
    nodes = [
        helper.make_node("Cast", ["projection"], ["matrix"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["features", "matrix"], ["projected"]),
        helper.make_node("Relu", ["projected"], ["rectified"]),
        helper.make_node("Mul", ["rectified", "scale"], ["added"]),
        helper.make_node("Concat", ["features", "added"], ["expanded"], axis=-1),
    ]
    constants = [
        numpy_helper.from_array(projection.matrix, "projection"),
        numpy_helper.from_array(np.array(projection.scale, dtype=np.float32), "scale"),
    ]
    return "expanded", nodes, constants


class ParityProver:
    """Proves heads on one exported encoder, whose session it keeps between increments.

    What is compared with torch is a `Predictor`: the class, the files and the session settings that
    will serve.

    Args:
        encoder_onnx: the graph as it will be stored.
        tokenizer_json: the tokenizer file as it will be stored.
        threads: of onnxruntime; 0 takes every core.
        device: of onnxruntime.
    """

    def __init__(
        self,
        encoder_onnx: bytes,
        tokenizer_json: bytes | str,
        *,
        threads: int = 0,
        device: Device = "cpu",
    ) -> None:
        self._threads = threads
        self._providers = providers_for(device)
        held = tokenizer_json if isinstance(tokenizer_json, bytes) else tokenizer_json.encode()
        self._extractor = FeatureExtractor(
            encoder=encoder_onnx, tokenizer=held, providers=self._providers, threads=threads
        )
        self._probed = False

    def prove(
        self,
        encoder: Encoder,
        head: ScoringHead,
        head_onnx: bytes,
        texts: Sequence[str],
        *,
        features: NDArray[np.float32] | None = None,
        tolerance: float = TOLERANCE,
    ) -> float:
        """The largest difference of a score between torch and the two graphs.

        The first proof of an encoder also takes the shortest and the longest text that it can read,
        and so does every proof without texts: both axes are proven, held-out records or not.

        Args:
            encoder: as torch runs it.
            head: as it was solved.
            head_onnx: its graph.
            texts: N texts that nobody learned.
            features: (N, D) of the texts under `encoder`, where they are at hand.
            tolerance: largest difference that counts as the same.

        Raises:
            ParityError: it is over `tolerance` or not a number.
        """
        known = encoder.features(texts) if features is None else features
        probes = ["a", "word " * encoder.spec.max_tokens] if not self._probed or not texts else []
        expected = head.scores(np.concatenate([known, encoder.features(probes)]))
        served = self._served(head_onnx, expected.shape[1], [*texts, *probes])
        largest = float(np.abs(served - expected).max())
        if not largest <= tolerance:
            msg = f"torch and the exported graphs differ by {largest:.2e}, over {tolerance:.0e}"
            raise ParityError(msg, largest=largest)
        self._probed = True
        return largest

    def features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features (N, D) as a follower gets them: tokenizer file and graph, no torch."""
        return self._extractor.features(texts)

    def _served(
        self, head_onnx: bytes, num_labels: int, texts: Sequence[str]
    ) -> NDArray[np.float32]:
        try:
            predictor = Predictor(
                extractor=self._extractor,
                head=head_onnx,
                labels=[str(column) for column in range(num_labels)],
                version=0,
                task="",
                providers=self._providers,
                threads=self._threads,
            )
            return predictor.scores(texts)
        except (ArtifactRefusedError, NotFiniteError) as error:
            msg = f"a follower would refuse the exported head: {error}"
            raise ParityError(msg, largest=float("inf")) from error
