"""Damages files of a store as a bad disk, a bad hand or a broken copy does; for local stores."""

import json
from pathlib import Path
from typing import Any, Literal

Damage = Literal["flip", "truncate", "remove"]
Part = Literal["encoder", "head", "tokenizer"]


def announced_files(store: Path, task: str, sequence: int) -> dict[Part, Path]:
    """The files of a version that a lineage entry announces; empty where it announces none.

    Reads the entry as plain JSON, before or after the announcement.
    """
    entry = json.loads((store / f"tasks/{task}/lineage/{sequence:08d}.json").read_bytes())
    version: dict[str, Any] = entry["version"] or {}
    parts: tuple[Part, ...] = ("encoder", "head", "tokenizer")
    return {part: store / version[part]["path"] for part in parts if version}


def damage(file: Path, how: Damage) -> bytes:
    """Damage a file in place; what it held comes back, for `mend`.

    `flip` turns over one bit in the middle: size and beginning stay right.
    """
    held = file.read_bytes()
    match how:
        case "flip":
            middle = len(held) // 2
            turned = bytes([held[middle] ^ 1])
            file.write_bytes(held[:middle] + turned + held[middle + 1 :])
        case "truncate":
            file.write_bytes(held[: len(held) // 2])
        case "remove":
            file.unlink()
    return held


def mend(file: Path, held: bytes) -> None:
    """Put back what a file held."""
    file.write_bytes(held)
