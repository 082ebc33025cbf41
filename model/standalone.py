"""A version, or the last few as an ensemble, in one graph that needs nothing of this project."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from model.config import EncoderConfig
from model.encoder import Encoder
from model.ensemble import (
    Member,
    ensemble_head,
    ensemble_scores,
    joined,
    mean_scores,
    merged_encoder,
)
from model.errors import ArtifactRefusedError, ParityError, RejectError
from model.holdout import HoldoutMemory
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.onnx_export import TOLERANCE, encoder_graph, load_template
from model.onnx_session import open_session, providers_for, run_session
from model.retention import origin
from model.state import head_of
from model.statistics import FloatArray

PROVEN_TEXTS = 32
"""Newest held-out texts on which the graph is proven, beside the shortest and the longest."""


class ExportRefusedError(RejectError):
    """These versions cannot be one graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """One graph with what is needed to run it."""

    graph: bytes
    """ONNX: `input_ids`, `attention_mask` int64 (B, T) to `scores` float32 (B, C)."""
    tokenizer: str
    """A Hugging Face `tokenizer.json` with truncation set."""
    labels: tuple[str, ...]
    """Of the columns of the scores."""
    versions: tuple[int, ...]
    """Whose mean the scores are, the newest first."""
    parity: float
    """Largest difference of a score between torch and the graph."""
    num_judged: int
    """Held-out records that judged it."""
    accuracy: float | None
    """Its accuracy on them; None without any."""
    newest_accuracy: float | None
    """The newest version's alone."""


def standalone(
    lineage: Lineage, entry: LineageEntry, *, members: int, cache: Path, threads: int
) -> Standalone:
    """Merge a version, or it and those before it with other encoders, and prove the result.

    1. Find the versions and load them into torch.
    2. Merge their graphs; one version is an ensemble of one.
    3. Prove the very file against torch.
    4. Judge it on held-out records that no version has learned.

    Args:
        lineage: of the task.
        entry: of the newest version.
        members: K; 1 is the version alone.
        cache: folder of this machine for graph templates.
        threads: of onnxruntime; 0 takes every core.

    Raises:
        ExportRefusedError: there are fewer versions, or they have different tokenizers.
        ArtifactRefusedError: a file is missing or not what the entry says.
        ExportError: the graphs do not fit into one file.
        ParityError: torch and the graph disagree.
    """
    # 1.
    found = [_member(lineage, each) for each in _ancestors(lineage, entry, members)]
    newest = found[0].encoder
    if any(each.encoder.tokenizer_json != newest.tokenizer_json for each in found):
        raise ExportRefusedError("the versions have different tokenizers: no graph reads both")
    labels = entry.version.labels if entry.version else ()
    # 2. Written anew: stored graphs may be of an earlier exporter.
    encoders = [encoder_graph(load_template(each.encoder, cache), each.encoder) for each in found]
    heads = [each.head for each in found]
    graph = joined(merged_encoder(encoders), ensemble_head(heads))
    # 3.
    rows = _judges(lineage, entry)
    parity = prove(graph, found, [row[0] for row in rows[-PROVEN_TEXTS:]], threads=threads)
    # 4.
    texts = [text for text, _ in rows]
    scores = [each.scores(texts) for each in found] if texts else []
    return Standalone(
        graph=graph,
        tokenizer=newest.tokenizer_json,
        labels=labels,
        versions=tuple(each.version for each in found),
        parity=parity,
        num_judged=len(rows),
        accuracy=_accuracy(scores, rows, labels),
        newest_accuracy=_accuracy(scores[:1], rows, labels),
    )


def prove(graph: bytes, members: Sequence[Member], texts: Sequence[str], *, threads: int) -> float:
    """The largest difference of a score between torch and the graph.

    Raises:
        ParityError: it is too large or not a number.
    """
    encoder = members[0].encoder
    probes = [*texts, "a", "word " * encoder.spec.max_tokens]
    session = open_session(graph, name="model", providers=providers_for("cpu"), threads=threads)
    largest = 0.0
    for text in probes:
        ids, mask = encoder.padded(encoder.tokenize([text]))
        feeds = {"input_ids": ids.cpu().numpy(), "attention_mask": mask.cpu().numpy()}
        served = run_session(session, "scores", feeds)
        # NaN has to win: `max` of Python would lose it.
        difference = np.abs(served - ensemble_scores(members, [text])).max()
        largest = float(np.maximum(largest, difference))
    if not largest <= TOLERANCE:
        msg = f"torch and the merged graph differ by {largest:.2e}, over {TOLERANCE:.0e}"
        raise ParityError(msg, largest=largest)
    return largest


def _ancestors(lineage: Lineage, entry: LineageEntry, count: int) -> list[LineageEntry]:
    """The version and the last one before it under each other encoder, the newest first.

    What a rollback took back is left out: the way leads over what each version replaced.
    """
    found: dict[str, LineageEntry] = {}
    held: LineageEntry | None = entry
    while held is not None and len(found) < count:
        held = origin(held, lineage.entry)
        if held.version is None or held.encoder is None:
            msg = f"entry {held.sequence} of {lineage.task} was never promoted: nothing to export"
            raise ExportRefusedError(msg)
        found.setdefault(held.encoder.digest, held)
        parent = held.version.parent
        held = None if parent is None else lineage.entry(parent)
    if len(found) < count:
        msg = (
            f"version {entry.sequence} of {lineage.task} and those before it have "
            f"{len(found)} encoders, fewer than the {count} of the ensemble"
        )
        raise ExportRefusedError(msg)
    return list(islice(found.values(), count))


def _member(lineage: Lineage, entry: LineageEntry) -> Member:
    head, reference = head_of(lineage, entry), entry.encoder
    if head is None or reference is None:
        raise ArtifactRefusedError(f"entry {entry.sequence} of {lineage.task} has no head")
    files = {name: lineage.store.fetch(each) for name, each in reference.files.items()}
    encoder = Encoder.from_files(files, config=EncoderConfig(), device="cpu")
    return Member(entry.sequence, encoder, head)


def _judges(lineage: Lineage, entry: LineageEntry) -> list[tuple[str, str]]:
    """Text and label of the held-out records that never chose anything, oldest first."""
    if entry.files is None:
        return []
    raw = lineage.store.fetch(entry.files.holdout)
    memory = HoldoutMemory.from_bytes(raw, capacity=1)
    return [(row.text, row.label) for row in memory.part("judge")]


def _accuracy(
    scores: Sequence[FloatArray], rows: Sequence[tuple[str, str]], labels: Sequence[str]
) -> float | None:
    if not scores:
        return None
    best = mean_scores(scores).argmax(axis=1)
    right = [labels[column] == label for column, (_, label) in zip(best, rows, strict=True)]
    return float(np.mean(right))
