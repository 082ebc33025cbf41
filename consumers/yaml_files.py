"""What is wrong with a file that is not YAML, in one line."""

import yaml


def yaml_fault(error: yaml.YAMLError) -> str:
    """Line and column, from 1, and the problem; of a character that YAML has not, what it says."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"not YAML: {' '.join(str(error).split())}"
    told = [getattr(error, "context", None), getattr(error, "problem", None)]
    problem = ": ".join(part for part in told if part)
    return f"not YAML: line {mark.line + 1}, column {mark.column + 1}: {problem}"
