"""The demo as it is, with its processes and a real broker; only the roles are fakes."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.demo.plan import DemoOptions
from consumers.demo.run import MARK, _fresh_folder, run_demo
from consumers.processes import RoleFailedError
from consumers.settings import Settings
from model.errors import ConfigError
from tests.model.tiny_onnx import LABELS, WORDS
from tests.waiting import becomes

FAKES = (sys.executable, "-m", "tests.consumers.demo.fake_roles")
RUN = """
import sys
from pathlib import Path
from consumers.demo.plan import DemoOptions
from consumers.demo.run import run_demo
from consumers.settings import load_settings
data, out = map(Path, sys.argv[1:])
run_demo(
    DemoOptions(data=data, out=out, task="colors", window_records=20, rate=20.0),
    load_settings(),
    program=(sys.executable, "-m", "tests.consumers.demo.fake_roles"),
)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "colors.jsonl", count=120)


def written(path: Path, *, count: int) -> Path:
    """Texts of one word with a number that no version knows; their label is the word's."""
    rows = [
        {"text": f"{WORDS[n % 3]} {WORDS[n % 3]} n{n}", "label": LABELS[n % 3]}
        for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def options_of(data: Path, out: Path) -> DemoOptions:
    return DemoOptions(data=data, out=out, task="colors", window_records=20)


def processes_of(folder: Path) -> list[str]:
    """Command lines of every process that works for a folder."""
    mark = str(folder).encode()
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or place.name == str(os.getpid()):
            continue
        try:
            command = (place / "cmdline").read_bytes()
            if mark in command or mark in (place / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_a_run_streams_learns_serves_scores_and_reports(
    kafka: object,
    settings: Settings,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    named = Path(os.path.relpath(out / "report.json"))
    report = run_demo(replace(options_of(data, out), report=named), settings, program=FAKES)
    assert report.records.add_up
    assert report.records.produced == report.records.learned
    assert report.records.open == 0
    assert [window.reason for window in report.windows][-1] == "command"
    assert all(version.seconds.swap is not None for version in report.versions[-1:])
    assert report.predictions.sent == report.predictions.answered > 0
    [margin] = report.test_set
    assert (margin.first_accuracy, margin.last_accuracy, margin.margin) == (0.0, 1.0, 1.0)
    assert report.peak_memory_bytes > 50_000_000
    assert json.loads((out / "report.json").read_text())["records"] == report.records.model_dump()
    told = capsys.readouterr().out
    assert "window 1 closed: colors, 20 records, count" in told
    assert "+100.0 points" in told
    assert str(out / "report.json") in told  # whole, as the folders below it
    assert (out / MARK).exists()
    assert processes_of(out) == []


def test_a_role_that_ends_ends_the_run_with_the_end_of_its_log(
    settings: Settings, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    program = (sys.executable, "-c", "import sys; sys.exit('no such thing')")
    with pytest.raises(RoleFailedError, match="no such thing"):
        run_demo(options_of(data, out), settings, program=program)
    assert processes_of(out) == []


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    data = written(tmp_path / "colors.jsonl", count=4000)  # minutes of work: it is not over first
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("BOOTSTRAP_SERVERS")
    }
    demo = subprocess.Popen(
        [sys.executable, "-c", RUN, data, out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:  # until the roles and the broker are at work
        if "window 1 closed" in line:
            break
    assert len(processes_of(out)) >= 4
    demo.send_signal(number)
    demo.wait(30)
    assert becomes(lambda: not processes_of(out)), processes_of(out)
    assert demo.returncode != 0


def test_what_an_earlier_demo_left_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    with _fresh_folder(tmp_path / "out") as out:
        (out / "store").mkdir()
        (out / "store" / "old").touch()
        (out / "report.json").touch()
        (out / "notes.txt").touch()
    with _fresh_folder(out):
        assert not (out / "store").exists()
        assert not (out / "report.json").exists(), "the next report may be written elsewhere"
        assert (out / "notes.txt").exists()


def test_a_folder_belongs_to_one_demo_at_a_time(tmp_path: Path) -> None:
    with _fresh_folder(tmp_path / "out") as out:
        (out / "store").mkdir()
        with pytest.raises(ConfigError, match="another demo runs in"), _fresh_folder(out):
            pass
        assert (out / "store").exists()
