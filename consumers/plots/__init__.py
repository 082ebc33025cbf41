"""Pictures of what was learned, as PNG or SVG: one function a picture, plain values in, a file out.

Importing this package needs matplotlib (the extra `plots`); nothing else in the project does.
"""

from model.errors import ConfigError

try:
    from consumers.plots.confusion import confusion
    from consumers.plots.lines import accuracy_against_compute, calibration, curves, roc
    from consumers.plots.matrix import accuracy_matrix
except ModuleNotFoundError as error:
    msg = f"pictures need the extra `plots`: install freshet with it ({error})"
    raise ConfigError(msg) from error

__all__ = [
    "accuracy_against_compute",
    "accuracy_matrix",
    "calibration",
    "confusion",
    "curves",
    "roc",
]
