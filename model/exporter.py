"""Turns an encoder into files of the store, once, and proves heads against it."""

from collections.abc import Sequence
from pathlib import Path

from model.artifacts import ArtifactStore
from model.encoder import Encoder, Features
from model.head import LinearHead
from model.lineage import EncoderRef
from model.onnx_export import ParityProver, encoder_graph, load_template


class Exporter:
    """Keeps the exported graph of each architecture and a prover for the encoder in use.

    Args:
        store: where encoders go, under `encoders/<digest>/`.
        cache: folder of this machine for graph templates, by architecture.
        threads: of onnxruntime while it proves.
    """

    def __init__(self, store: ArtifactStore, cache: Path, *, threads: int) -> None:
        self._store = store
        self._cache = cache
        self._threads = threads
        self._prepared: tuple[EncoderRef, ParityProver] | None = None

    def prepare(self, encoder: Encoder) -> EncoderRef:
        """Export the encoder by rewriting its architecture's template, and store its files.

        Does nothing for the encoder that was prepared last, which is the rule between refreshes.
        """
        if self._prepared is not None and self._prepared[0].digest == encoder.digest:
            return self._prepared[0]
        graph = encoder_graph(load_template(encoder, self._cache), encoder)
        folder = f"encoders/{encoder.digest}"
        contents = encoder.files()
        files = {name: self._store.put(f"{folder}/{name}", data) for name, data in contents.items()}
        ref = EncoderRef(
            digest=encoder.digest,
            files=files,
            graph=self._store.put(f"{folder}/encoder.onnx", graph),
            tokenizer=files["tokenizer.json"],
        )
        prover = ParityProver(graph, contents["tokenizer.json"], threads=self._threads)
        self._prepared = (ref, prover)
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
        self.prepare(encoder)
        if self._prepared is None:  # prepare() has just set it
            raise RuntimeError
        return self._prepared[1].prove(encoder, head, head_onnx, texts, features=features)
