"""Reads a file of settings, and tells in one line what keeps it from being YAML."""

from pathlib import Path
from typing import Any

import yaml


class NotYamlError(ValueError):
    """The file is there and is not YAML; the message says where and why."""


def read_yaml(path: Path) -> Any:
    """What the file holds; an empty mapping where that is nothing.

    Raises:
        OSError: it cannot be read.
        NotYamlError: it is not UTF-8, or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except UnicodeError as error:
        raise NotYamlError(f"not UTF-8: {error}") from error
    except yaml.YAMLError as error:
        raise NotYamlError(_fault(error)) from error


def _fault(error: yaml.YAMLError) -> str:
    """Line and column, from 1, and the problem; of a character that YAML has not, what it says."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"not YAML: {' '.join(str(error).split())}"
    told = [getattr(error, "context", None), getattr(error, "problem", None)]
    problem = ": ".join(part for part in told if part)
    return f"not YAML: line {mark.line + 1}, column {mark.column + 1}: {problem}"
