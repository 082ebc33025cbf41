"""`freshet models export`: a version as a folder of three files that any runtime can serve."""

import json
from pathlib import Path

from consumers.settings import Settings
from model.errors import ConfigError
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.standalone import Standalone, standalone

GRAPH, TOKENIZER, LABELS = "model.onnx", "tokenizer.json", "labels.json"


def export(
    settings: Settings, lineage: Lineage, entry: LineageEntry, *, ensemble: int, out: Path
) -> Standalone:
    """Merge, prove, and write `model.onnx`, `tokenizer.json` and `labels.json` into a folder.

    Nothing is written where the proof fails.

    Args:
        settings: cache and threads.
        lineage: of the task.
        entry: of the version.
        ensemble: how many versions with different encoders answer together; 1 is it alone.
        out: the folder; it is made where it is not there.

    Raises:
        ConfigError: the folder cannot be written.
        RejectError: as `model.standalone.standalone` says.
    """
    made = standalone(
        lineage,
        entry,
        members=ensemble,
        cache=settings.cache.expanduser(),
        threads=settings.threads,
    )
    about = {"task": lineage.task, "versions": made.versions, "labels": made.labels}
    contents = {
        TOKENIZER: made.tokenizer.encode(),
        LABELS: json.dumps(about, indent=1, ensure_ascii=False).encode() + b"\n",
        GRAPH: made.graph,
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            staged = out / f".{name}.part"
            staged.write_bytes(content)
            staged.replace(out / name)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}") from error
    return made
