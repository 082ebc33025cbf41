"""A promoted version, as followers learn of it."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
)

from schemas.base import Count, Event, Label, Seconds, Sha256, Span, TaskName

ARTIFACT_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""A path under the store's root: no part starts with a dot, so none can climb out."""


class Artifact(BaseModel):
    """One file of a version: where it lies under the store's root, and what its bytes must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[
        str,
        StringConstraints(pattern=rf"^{ARTIFACT_PATH.pattern}$"),
    ]
    sha256: Sha256
    size_bytes: Count


class ModelVersion(Event):
    """What a follower needs to serve a version, and what a reader needs to explain it.

    A version is a pair of graphs, encoder and head, with the encoder's tokenizer. `version` is the
    sequence number of its lineage entry; a follower ignores a lower one than it holds.
    """

    event_type: ClassVar[str] = "version_promoted"
    type: Literal["model_version"] = "model_version"
    schema_version: Literal[1] = 1

    task: TaskName
    version: Count
    parent: Count | None
    """The champion that it replaced; none for the first."""
    kind: Literal["increment", "refresh", "rollback", "forget"]
    """A rollback announces an older version's files under a number of its own; `forget` a head
    without records that somebody had forgotten, under the same encoder."""
    attempt: str
    uri: str
    """The store's root as the writer sees it; a reader may reach the store by another address."""
    encoder: Artifact
    """ONNX: `input_ids`, `attention_mask` int64 (B, T) to `features` float32 (B, D)."""
    tokenizer: Artifact
    """A Hugging Face `tokenizer.json` with truncation set."""
    head: Artifact
    """ONNX: `features` float32 (B, D) to `scores` float32 (B, C), rows sum to one."""
    labels: Annotated[tuple[Label, ...], Field(min_length=1), FailFast()]
    """Label of each column of the scores; append-only along a lineage."""
    spans: tuple[Span, ...]
    """The records that this entry learned from (a refresh: what it read again)."""
    metrics: dict[str, float]
    seconds: dict[str, Seconds]
    """Where the time went: `queue`, `fit`, `evaluate`, `export`."""
    created_at: AwareDatetime

    @property
    def event_id(self) -> str:
        """The same version is always the same event."""
        return f"{self.task}/{self.version}"

    @property
    def happened_at(self) -> datetime:
        """When it was committed."""
        return self.created_at
