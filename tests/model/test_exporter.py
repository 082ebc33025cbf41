"""What the exporter puts into the store stays what it was announced to be."""

from pathlib import Path

import pytest

from model.artifacts import ArtifactStore
from model.encoder import Encoder
from model.exporter import Exporter


def test_another_graph_of_the_same_encoder_leaves_the_announced_one_as_it_is(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a training role of the next release writes it, whose torch exports otherwise."""
    store = ArtifactStore(str(tmp_path))
    monkeypatch.setattr(Exporter, "_prover", lambda *_: None)

    def prepared(graph: bytes) -> Exporter:
        monkeypatch.setattr(Exporter, "_graph", lambda *_: graph)
        return Exporter(store, tmp_path / "cache", threads=1)

    announced = prepared(b"this release").prepare(encoder)
    other = prepared(b"the next one").prepare(encoder)
    again = prepared(b"this release").prepare(encoder)
    assert (other.digest, other.files) == (announced.digest, announced.files)
    assert again == announced
    assert store.fetch(announced.graph) == b"this release"
    assert store.fetch(other.graph) == b"the next one"
