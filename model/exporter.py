"""Turns an encoder into files of the store, once, and proves heads against it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from model.encoder import Encoder, Features
from model.head import LinearHead
from model.lineage import encoder_folder
from model.lineage_entry import EncoderRef
from model.onnx_export import ParityProver, encoder_graph, load_template
from model.store import Store

MOST_PROVERS = 4
"""Encoders whose sessions stay open between increments, about 100 MB each for MiniLM."""


class Exporter:
    """Keeps the exported graph of each architecture and provers for the encoders in use.

    Args:
        store: where encoders go, under `encoders/<digest>/`.
        cache: folder of this machine for graph templates, by architecture.
        threads: of onnxruntime while it proves.
    """

    def __init__(self, store: Store, cache: Path, *, threads: int) -> None:
        self._store = store
        self._cache = cache
        self._threads = threads
        self._refs: dict[str, EncoderRef] = {}
        self._provers: dict[str, ParityProver] = {}

    def prepare(self, encoder: Encoder) -> EncoderRef:
        """Export the encoder by rewriting its architecture's template; store its files, once.

        They may have been pruned since: what is not there is written again.
        """
        held = self._refs.get(encoder.digest)
        if held is not None and all(self._store.holds(path) for path in held.paths()):
            return held
        folder = encoder_folder(encoder.digest)
        graph = self._graph(encoder)
        contents = encoder.files()
        files = {name: self._store.put(f"{folder}/{name}", data) for name, data in contents.items()}
        # Another release of torch may write another graph of the same encoder: it must not take the
        # place of one that was announced with its digest.
        named = f"encoder-{hashlib.sha256(graph).hexdigest()[:16]}.onnx"
        ref = EncoderRef(
            digest=encoder.digest,
            files=files,
            graph=self._store.put(f"{folder}/{named}", graph),
            tokenizer=files["tokenizer.json"],
        )
        self._refs[encoder.digest] = ref
        self._prover(encoder, graph)
        return ref

    def prove(
        self,
        encoder: Encoder,
        head: LinearHead,
        head_onnx: bytes,
        *,
        texts: Sequence[str],
        features: Features,
    ) -> float:
        """The largest difference of a score between torch and the pair of graphs that will serve.

        Raises:
            ParityError: it is too large.
        """
        prover = self._provers.get(encoder.digest) or self._prover(encoder, self._graph(encoder))
        return prover.prove(encoder, head, head_onnx, texts, features=features)

    def _graph(self, encoder: Encoder) -> bytes:
        return encoder_graph(load_template(encoder, self._cache), encoder)

    def _prover(self, encoder: Encoder, graph: bytes) -> ParityProver:
        """A prover whose session stays open for the next heads; the oldest of a few is closed."""
        prover = ParityProver(graph, encoder.tokenizer_json, threads=self._threads)
        self._provers[encoder.digest] = prover
        while len(self._provers) > MOST_PROVERS:
            del self._provers[next(iter(self._provers))]
        return prover
