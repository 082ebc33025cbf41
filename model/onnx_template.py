"""The ONNX graph of an architecture, exported once and kept without its weights.

An export costs 9 s for MiniLM and depends on the architecture alone, so that a new version only
needs its tensors written into a graph that is there already. Which tensor goes where is found by
content: the export is made on random weights, and each initializer's bytes are looked up among the
parameters and their transposes. Trained weights would not do, for fresh biases and norms are equal.
"""

import hashlib
import json
import logging
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
import transformers
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto
from torch import Tensor

from model.base_model import empty_transformer
from model.encoder import Encoder
from model.errors import StopError
from model.pooling import Pooled

_FORMAT = 1
"""Raise it when what is exported or how it is kept changes: cached templates are then not used."""
_BINDINGS = "freshet.bindings"
_INPUTS = ("input_ids", "attention_mask")
_OUTPUT = "features"


class ExportError(StopError):
    """This architecture cannot be exported with every parameter in its place."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The parameter that an initializer takes its numbers from."""

    parameter: str
    transposed: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A graph without weights, and where they go."""

    graph: bytes
    """A serialised `ModelProto` whose bound initializers are empty."""
    bindings: Mapping[str, Binding]
    """By name of the initializer."""


def load_template(encoder: Encoder, cache: Path) -> Template:
    """The template of the encoder's architecture: from the cache, else exported into it.

    The file is renamed into place, so that processes that share a cache see all of it or nothing.
    A cache that is full or damaged costs the time of an export, nothing else.

    Raises:
        ExportError: torch cannot export it or a parameter is nowhere in the graph.
    """
    path = cache / f"{template_key(encoder)}.onnx"
    if (kept := _kept(path)) is not None:
        return kept
    template = export_template(encoder)
    with suppress(OSError):
        _keep(template, path)
    return template


def template_key(encoder: Encoder) -> str:
    """SHA-256 over all that the graph depends on; the weights are not part of it."""
    parts = {
        "architecture": encoder.architecture_json,
        "pooling": encoder.spec.pooling,
        "format": _FORMAT,
        "versions": [torch.__version__, transformers.__version__, onnx.__version__],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def export_template(encoder: Encoder) -> Template:
    """Export the architecture with random weights, find each parameter, and drop the weights.

    Raises:
        ExportError: torch cannot export it or a parameter is nowhere in the graph.
    """
    module = Pooled(empty_transformer(encoder.architecture_json), encoder.spec.pooling).eval()
    _randomise(module)
    model = _export(module)
    bindings = match_initializers(model, module.transformer.state_dict())
    for initializer in model.graph.initializer:
        if initializer.name in bindings:
            initializer.ClearField("raw_data")
    for node in model.graph.node:  # stack traces with the paths of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return Template(model.SerializeToString(deterministic=True), bindings)


def match_initializers(model: ModelProto, state: Mapping[str, Tensor]) -> dict[str, Binding]:
    """Match float initializers to parameters by their bytes or those of the transpose.

    Raises:
        ExportError: a parameter is nowhere in the graph.
    """
    floats = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    known: dict[bytes, Binding] = {}
    for name, tensor in floats.items():
        known.setdefault(_digest(tensor_bytes(tensor, transposed=False)), Binding(name, False))
        if tensor.ndim == 2:
            known.setdefault(_digest(tensor_bytes(tensor, transposed=True)), Binding(name, True))
    bindings = {
        initializer.name: known[digest]
        for initializer in model.graph.initializer
        if initializer.data_type == TensorProto.FLOAT
        and (digest := _digest(initializer.raw_data)) in known
    }
    missing = sorted(set(floats) - {binding.parameter for binding in bindings.values()})
    if missing:
        msg = f"{len(missing)} parameters are not in the exported graph: {', '.join(missing[:5])}"
        raise ExportError(msg)
    return bindings


def tensor_bytes(tensor: Tensor, *, transposed: bool) -> bytes:
    """The numbers as an initializer holds them: float32, row by row."""
    values = tensor.detach().to("cpu", torch.float32)
    return (values.T if transposed else values).contiguous().numpy().tobytes()


def _export(module: Pooled) -> ModelProto:
    example = torch.ones(2, 8, dtype=torch.int64)  # a batch of 1 would be taken for a constant
    axes = {0: "batch", 1: "sequence"}
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                (example, torch.ones_like(example)),
                dynamo=True,
                input_names=list(_INPUTS),
                output_names=[_OUTPUT],
                dynamic_shapes=(axes, axes),
                optimize=False,  # folding would hide parameters from the match
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        msg = f"torch cannot export this architecture: {error}"
        raise ExportError(msg) from error
    if program is None:
        raise ExportError("torch gave no program back")
    return program.model_proto


def _randomise(module: Pooled) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.transformer.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.02)


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _keep(template: Template, path: Path) -> None:
    model = ModelProto.FromString(template.graph)
    held = {name: [each.parameter, each.transposed] for name, each in template.bindings.items()}
    model.metadata_props.add(key=_BINDINGS, value=json.dumps(held, sort_keys=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{uuid.uuid4().hex}")
    try:
        aside.write_bytes(model.SerializeToString(deterministic=True))
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
        raise


def _kept(path: Path) -> Template | None:
    """The template in the cache; None where there is none, or half of one after a power failure."""
    try:
        model = ModelProto.FromString(path.read_bytes())
        held = next(each.value for each in model.metadata_props if each.key == _BINDINGS)
    except (OSError, DecodeError, StopIteration):
        return None
    model.ClearField("metadata_props")
    bindings = {name: Binding(*binding) for name, binding in json.loads(held).items()}
    return Template(model.SerializeToString(deterministic=True), bindings)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on torchvision and on axis names to itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
