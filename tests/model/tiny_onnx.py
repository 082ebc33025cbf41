"""Versions of three words and three labels whose every answer says which version gave it.

The word number w has the feature w + `turn` (mod 3) of the encoder, and the feature f has the label
f + `turn` (mod 3) of the head. So word w gets label w + encoder's turn + head's turn (mod 3).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from model.artifacts import ArtifactStore
from schemas.model_version import ModelVersion

WORDS = ("alpha", "beta", "gamma")
LABELS = ("red", "green", "blue")


def expected(word: str, *, turns: int) -> str:
    return LABELS[(WORDS.index(word) + turns) % 3]


def tokenizer(*, max_length: int | None = 16) -> bytes:
    words = {"[PAD]": 0, "[UNK]": 1, **{word: index + 2 for index, word in enumerate(WORDS)}}
    made = Tokenizer(WordLevel(words, "[UNK]"))
    made.pre_tokenizer = Whitespace()
    if max_length:
        made.enable_truncation(max_length)
    return made.to_str().encode()


def encoder(*, turn: int = 0, output: str = "features", rows: int = 5) -> bytes:
    """The mean of the words' one-hot features, those under the mask; more `rows` weigh more."""
    table = np.zeros((rows, 3), dtype=np.float32)
    for word in range(3):
        table[word + 2, (word + turn) % 3] = 1
    table[1] = 1 / 3
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["embedded", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], [output]),
    ]
    constants = {"table": table, "last": np.array([2]), "middle": np.array([1])}
    inputs = {
        name: (TensorProto.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")
    }
    return _graph(nodes, constants, inputs, output, ["batch", 3])


def head(*, turn: int = 0, num_labels: int = 3, num_features: int = 3) -> bytes:
    """A sharp softmax over the turned features."""
    weight = np.zeros((num_features, num_labels), dtype=np.float32)
    for feature in range(num_features):
        weight[feature, (feature + turn) % num_labels] = 20
    nodes = [
        helper.make_node("MatMul", ["features", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    inputs = _features(num_features)
    return _graph(nodes, {"weight": weight}, inputs, "scores", ["batch", num_labels])


def unnormalised_head() -> bytes:
    nodes = [helper.make_node("Add", ["features", "features"], ["scores"])]
    inputs = _features(3)
    return _graph(nodes, {}, inputs, "scores", ["batch", 3])


def _features(width: int) -> dict[str, tuple[int, Sequence[str | int]]]:
    return {"features": (TensorProto.FLOAT, ["batch", width])}


def _graph(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, NDArray[Any]],
    inputs: Mapping[str, tuple[int, Sequence[str | int]]],
    output: str,
    shape: Sequence[str | int],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, of) for name, (kind, of) in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=9)
    return bytes(made.SerializeToString())


def store_version(
    store: ArtifactStore,
    number: int,
    *,
    task: str = "colors",
    encoder_turn: int = 0,
    head_turn: int = 0,
    head_graph: bytes | None = None,
    labels: tuple[str, ...] = LABELS,
) -> ModelVersion:
    """Put the files of a version into the store."""
    folder = f"tasks/{task}/attempts/{number}"
    return ModelVersion(
        task=task,
        version=number,
        parent=number - 1 if number else None,
        kind="increment",
        attempt=str(number),
        uri=store.uri,
        encoder=store.put(f"encoders/{encoder_turn}/e.onnx", encoder(turn=encoder_turn)),
        tokenizer=store.put(f"encoders/{encoder_turn}/tokenizer.json", tokenizer()),
        head=store.put(f"{folder}/head.onnx", head_graph or head(turn=head_turn)),
        labels=labels,
        spans=(),
        metrics={},
        seconds={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
