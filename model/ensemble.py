"""Several versions answer as one: the mean of their scores, in one pair of graphs.

A probability-averaging ensemble (Lakshminarayanan et al. 2017, "Simple and scalable predictive
uncertainty estimation using deep ensembles", section 2.4), over versions of one lineage instead of
over seeds. Heads that were solved from the same statistics say nearly the same, so that each member
brings an encoder of its own: the newest version, and the last one before each refresh.

Labels are append-only along a lineage. A label that an older member does not know has the score
that the newest member gives it, and the older member shares out what is left:

    q(c) = p_new(c)                         for a label that the member does not know
    q(c) = p(c) sum_known p_new             for one that it knows

which sums to one and is the member's own p where it knows every label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    checker,
    compose,
    helper,
    numpy_helper,
)

from model.encoder import Encoder
from model.head import LinearHead
from model.onnx_export import ExportError, head_graph
from model.statistics import FloatArray

MOST_WEIGHT_BYTES = 2**31 - 2**24
"""Of one graph; the rest of it takes well under 16 MiB."""


@dataclass(frozen=True, slots=True)
class Member:
    """A version as torch runs it."""

    version: int
    encoder: Encoder
    head: LinearHead

    def scores(self, texts: Sequence[str]) -> FloatArray:
        """(N, C') of N texts, over the labels that this version knows."""
        return self.head.scores(self.encoder.features(texts))


def ensemble_scores(members: Sequence[Member], texts: Sequence[str]) -> FloatArray:
    """Scores (N, C) of N texts by all members, the newest first."""
    return mean_scores([member.scores(texts) for member in members])


def mean_scores(scores: Sequence[FloatArray]) -> FloatArray:
    """The mean (N, C) of scores (N, C'), the newest member's first, over its C labels."""
    mean: FloatArray = np.mean([_lifted(each, scores[0]) for each in scores], axis=0)
    return mean


def merged_encoder(graphs: Sequence[bytes]) -> bytes:
    """One encoder graph out of K: their features side by side.

    `input_ids`, `attention_mask` int64 (B, T), which all share, to `features` float32 (B, K D).

    Args:
        graphs: encoder graphs of one exporter, as `encoder_graph` writes them.

    Raises:
        ExportError: the graphs differ in their version of ONNX, or are too large for one file.
    """
    found = [ModelProto.FromString(graph) for graph in graphs]
    _check_one_format(found)
    members = [
        compose.add_prefix(model, f"member{index}/", rename_inputs=False)
        for index, model in enumerate(found)
    ]
    outputs = [model.graph.output[0] for model in members]
    names = [each.name for each in outputs]
    width = sum(each.type.tensor_type.shape.dim[1].dim_value for each in outputs)
    graph = helper.make_graph(
        [
            *(node for model in members for node in model.graph.node),
            helper.make_node("Concat", names, ["features"], axis=-1),
        ],
        "encoder",
        list(members[0].graph.input),
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])],
        [each for model in members for each in model.graph.initializer],
        value_info=[each for model in members for each in model.graph.value_info],
    )
    return _serialised(graph, like=found[0])


def ensemble_head(heads: Sequence[LinearHead]) -> bytes:
    """One head graph out of K: `features` float32 (B, K D) to `scores` float32 (B, C).

    Each head reads its own part of the features, at its own temperature.

    Args:
        heads: the newest first; each other's labels are the first ones of the newest's.

    Raises:
        ValueError: an older head has more labels than the newest.
    """
    num_labels = heads[0].num_labels
    if any(head.num_labels > num_labels for head in heads):
        counts = [head.num_labels for head in heads]
        raise ValueError(f"the heads have {counts} labels: the newest, the first, must have most")
    members = [
        compose.add_prefix(ModelProto.FromString(_graph_of(head)), f"member{index}/")
        for index, head in enumerate(heads)
    ]
    nodes, constants = _lifting(heads)
    widths = [head.weight.shape[1] - head.projected for head in heads]
    split = [model.graph.input[0].name for model in members]
    graph = helper.make_graph(
        [
            helper.make_node("Split", ["features", "widths"], split, axis=-1),
            *(node for model in members for node in model.graph.node),
            *nodes,
        ],
        "head",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", sum(widths)])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", num_labels])],
        [
            numpy_helper.from_array(np.array(widths, dtype=np.int64), "widths"),
            *constants,
            *(each for model in members for each in model.graph.initializer),
        ],
    )
    return _serialised(graph, like=members[0])


def joined(encoder: bytes, head: bytes) -> bytes:
    """A pair as one graph: `input_ids`, `attention_mask` int64 (B, T) to `scores` (B, C).

    Raises:
        ExportError: the two differ in their version of ONNX, or are too large for one file.
    """
    pair = [ModelProto.FromString(encoder), ModelProto.FromString(head)]
    _check_one_format(pair)
    # Prefixes, since a merged encoder's members and those of its head have the same names.
    below = compose.add_prefix(pair[0], "encoder/", rename_inputs=False, rename_outputs=False)
    above = compose.add_prefix(pair[1], "head/", rename_inputs=False, rename_outputs=False)
    graph = helper.make_graph(
        [*below.graph.node, *above.graph.node],
        "version",
        list(below.graph.input),
        list(above.graph.output),
        [*below.graph.initializer, *above.graph.initializer],
        value_info=[*below.graph.value_info, *above.graph.value_info],
    )
    return _serialised(graph, like=pair[0])


def _lifted(scores: FloatArray, newest: FloatArray) -> FloatArray:
    known = scores.shape[1]
    mass = newest[:, :known].sum(axis=1, keepdims=True)
    whole: FloatArray = np.concatenate([scores * mass, newest[:, known:]], axis=1)
    return scores if known == newest.shape[1] else whole


def _lifting(heads: Sequence[LinearHead]) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants from each member's scores to their mean."""
    nodes: list[NodeProto] = []
    constants = [numpy_helper.from_array(np.array([1], dtype=np.int64), "labels")]
    lifted, newest = [], "member0/scores"
    for index, head in enumerate(heads):
        name, known = f"member{index}", head.num_labels
        if known == heads[0].num_labels:
            lifted.append(f"{name}/scores")
            continue
        parts = np.array([known, heads[0].num_labels - known], dtype=np.int64)
        constants.append(numpy_helper.from_array(parts, f"{name}/parts"))
        nodes += [
            helper.make_node(
                "Split", [newest, f"{name}/parts"], [f"{name}/old", f"{name}/new"], axis=-1
            ),
            helper.make_node("ReduceSum", [f"{name}/old", "labels"], [f"{name}/mass"]),
            helper.make_node("Mul", [f"{name}/scores", f"{name}/mass"], [f"{name}/shared"]),
            helper.make_node(
                "Concat", [f"{name}/shared", f"{name}/new"], [f"{name}/lifted"], axis=-1
            ),
        ]
        lifted.append(f"{name}/lifted")
    return [*nodes, helper.make_node("Mean", lifted, ["scores"])], constants


def _graph_of(head: LinearHead) -> bytes:
    return head_graph(head.weight, head.bias, head.temperature, projection=head.projection)


def _check_one_format(models: Sequence[ModelProto]) -> None:
    formats = {
        (model.ir_version, *((each.domain, each.version) for each in model.opset_import))
        for model in models
    }
    if len(formats) > 1:
        raise ExportError(f"graphs of several versions of ONNX cannot be one: {sorted(formats)}")


def _serialised(graph: GraphProto, *, like: ModelProto) -> bytes:
    size = sum(len(each.raw_data) for each in graph.initializer)
    if size > MOST_WEIGHT_BYTES:
        raise ExportError(
            f"{size} bytes of weights do not fit into one graph: protobuf ends at 2 GiB"
        )
    model = helper.make_model(
        graph, opset_imports=list(like.opset_import), ir_version=like.ir_version
    )
    checker.check_model(model)
    return cast("bytes", model.SerializeToString(deterministic=True))
