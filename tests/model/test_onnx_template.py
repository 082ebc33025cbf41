"""A template: exported once an architecture, kept without weights, and whole or not at all."""

import errno
import os
from pathlib import Path

import onnx
import pytest
import torch

from model.encoder import Encoder
from model.onnx_template import ExportError, Template, export_template, load_template
from tests.model.exported import randomised


def test_a_template_is_exported_once_and_read_from_the_cache_after(
    encoder: Encoder, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports: list[Encoder] = []

    def export(given: Encoder) -> Template:
        exports.append(given)
        return template

    monkeypatch.setattr("model.onnx_template.export_template", export)
    first = load_template(encoder, tmp_path)
    again = load_template(randomised(encoder), tmp_path)
    assert len(exports) == 1
    assert again == first == template
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cache_that_is_full_or_damaged_costs_an_export_and_nothing_else(
    encoder: Encoder, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.onnx_template.export_template", lambda _: template)
    write, full = Path.write_bytes, tmp_path / "full"

    def no_room(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", no_room)
        assert load_template(encoder, full) == template
    assert not list(full.iterdir())

    load_template(encoder, tmp_path)
    [kept] = tmp_path.glob("*.onnx")
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-1], whole[: len(whole) // 2], b"no protobuf at all"):
        kept.write_bytes(damaged)
        assert load_template(encoder, tmp_path) == template
        assert kept.read_bytes() == whole


def test_a_template_holds_no_weights_and_no_paths(template: Template) -> None:
    assert b"site-packages" not in template.graph
    model = onnx.ModelProto.FromString(template.graph)
    bound = [each for each in model.graph.initializer if each.name in template.bindings]
    assert len(bound) == len(template.bindings)
    assert not any(each.raw_data for each in bound)


def test_the_export_writes_nothing_to_the_console(
    encoder: Encoder, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    export_template(encoder)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_a_parameter_that_is_not_in_the_graph_is_an_error(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = encoder.clone().module.transformer
    transformer.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
    monkeypatch.setattr("model.onnx_template.empty_transformer", lambda _: transformer)
    with pytest.raises(ExportError, match="1 parameters are not in the exported graph: idle"):
        export_template(encoder)
