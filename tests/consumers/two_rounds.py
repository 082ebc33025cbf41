"""A lineage of two rounds for commands to work on, where no broker answers."""

from pathlib import Path

import pytest

from model.config import GateConfig, MonitorConfig
from tests.model.loop import Loop, stream


def two_rounds(folder: Path, encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """The loop that learned them; settings of commands lead to its templates."""
    made = Loop(
        folder, encoder_folder, gate=GateConfig(obey=False), monitor=MonitorConfig(enabled=False)
    )
    made.learn(stream(60))
    made.learn(stream(60, start=60))
    monkeypatch.setattr("consumers.announcer._connected", lambda _: (None, "nobody answers"))
    monkeypatch.setenv("FRESHET_CACHE", str(made.templates))
    monkeypatch.setenv("FRESHET_DEVICE", "cpu")
    monkeypatch.setenv("FRESHET_THREADS", "1")
    return made
