"""What the exporter puts into the store stays what it was announced to be."""

from pathlib import Path

import onnx
import pytest

from model.artifacts import ArtifactStore
from model.encoder import Encoder
from model.exporter import Exporter
from tests.model.loop import Loop


def test_another_graph_of_the_same_encoder_leaves_the_announced_one_as_it_is(
    tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder)
    encoder = loop.state().encoder
    store = ArtifactStore(str(tmp_path / "store"))
    announced = Exporter(store, loop.templates, threads=1).prepare(encoder)

    graph_of = Exporter._graph

    def newer(exporter: Exporter, encoder: Encoder) -> bytes:
        graph = onnx.load_from_string(graph_of(exporter, encoder))
        graph.producer_version = "the next release"
        return graph.SerializeToString()

    monkeypatch.setattr(Exporter, "_graph", newer)
    other = Exporter(store, loop.templates, threads=1).prepare(encoder)
    assert other.digest == announced.digest
    assert other.graph.sha256 != announced.graph.sha256
    assert store.fetch(announced.graph)
    assert store.fetch(other.graph)
