"""Rows of a memory as Parquet and back."""

import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import ArtifactRefusedError


def to_parquet(rows: Iterable[object], schema: pa.Schema) -> bytes:
    """Rows whose attributes are the schema's columns, zstd; equal rows give equal bytes."""
    held = list(rows)
    columns = {name: [getattr(row, name) for row in held] for name in schema.names}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), sink, compression="zstd")
    return sink.getvalue()


def from_parquet(raw: bytes, schema: pa.Schema, *, what: str) -> list[dict[str, Any]]:
    """The columns of each row that `to_parquet` wrote with this schema.

    Raises:
        ArtifactRefusedError: it is truncated, tampered with or something else than `what`.
    """
    try:
        table = pq.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArtifactRefusedError(f"not a {what}: {error}") from error
    for field in schema:
        if field.nullable and field.name not in table.column_names:  # added since it was written
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    if not table.schema.equals(schema):
        raise ArtifactRefusedError(f"not a {what}: columns {table.schema.names}")
    return list(table.to_pylist())
