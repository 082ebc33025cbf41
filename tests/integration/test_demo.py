"""`freshet demo` as a user runs it, on a small file: on Kafka, and on the broker in memory."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consumers.broker import Broker
from tests.conftest import absent
from tests.integration.installation import write_config
from tests.integration.texts import labeled

WINDOW = 40
ROWS = 170
PATIENCE_SECONDS = 240
REFRESH = {
    "first_after_records": 60,
    "every_records": 10_000,
    "min_records_per_label": 5,
}


class Run(NamedTuple):
    status: int
    told: str
    report: dict[str, Any]
    out: Path


def demo(
    folder: Path, *, base_model: Path, cache: Path, refresh: bool = False, **environment: str
) -> Run:
    """Run the demo on a file of our own; one of its rows comes twice."""
    rows = [{"id": t.id, "text": t.text, "label": t.label} for t in labeled(ROWS)]
    data = folder / "prices.jsonl"
    data.write_text("\n".join(map(json.dumps, [*rows, rows[0]])), encoding="utf-8")
    defaults = {"refresh": REFRESH} if refresh else {}
    config = write_config(folder / "user.yaml", base_model, records=WINDOW, defaults=defaults)
    out, report = folder / "out", folder / "reports" / "report.json"
    arguments = {
        "--data": data, "--window": WINDOW, "--out": out, "--report": report,
        "--config": config, "--task": "prices",
    }  # fmt: skip
    inherited = {n: v for n, v in os.environ.items() if not n.endswith("BOOTSTRAP_SERVERS")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "consumers",
            "demo",
            *(str(part) for pair in arguments.items() for part in pair),
        ],
        capture_output=True,
        text=True,
        env={**inherited, "FRESHET_CACHE": str(cache), "FRESHET_DEVICE": "cpu", **environment},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    told = done.stdout + done.stderr
    assert report.exists(), told
    return Run(done.returncode, told, json.loads(report.read_text()), out)


def check_report(report: dict[str, Any]) -> None:
    """The books add up, and every round is told in full."""
    books = report["records"]
    parts = ("learned", "held_out", "duplicates", "dead_letters", "skipped", "open")
    assert books["produced"] == sum(books[part] for part in parts)
    assert books["open"] == books["dead_letters"] == books["skipped"] == 0
    assert sum(window["records"] for window in report["windows"]) == books["produced"]
    assert [window["reason"] for window in report["windows"]][-1] == "command"
    for version in report["versions"]:
        assert version["kind"] in {"increment", "refresh"}
        assert version["decision"] in {"promoted", "rejected"}
        assert version["reason"]
        assert {"champion", "candidate"} <= version["new"].keys()
        assert {"champion", "candidate"} <= version["old"].keys()
        stages = {"queue", "fit", "evaluate", "export", "publish", "swap"}
        assert stages == version["seconds"].keys()
        assert {"version", "parent", "prequential_accuracy", "freshness_seconds"} <= version.keys()
    promoted = [v for v in report["versions"] if v["decision"] == "promoted"]
    assert promoted
    assert [v["parent"] for v in promoted] == [None, *(v["version"] for v in promoted[:-1])]
    newest = [v for v in promoted if v["kind"] == "increment"][-1]
    assert newest["freshness_seconds"] is not None
    assert newest["prequential_accuracy"] is not None
    assert newest["new"]["candidate"] is not None
    asked = report["predictions"]
    assert asked["sent"] == asked["answered"] > 0
    assert sum(asked["by_version"].values()) == asked["answered"]
    assert str(promoted[-1]["version"]) in asked["by_version"]
    [scored] = report["test_set"]
    assert scored["records"] > 0
    assert report["peak_memory_bytes"] > 100e6
    assert report["seconds"] > 0


@pytest.mark.broker
def test_a_file_is_streamed_through_kafka_and_the_books_add_up(
    kafka: Broker, base_model: Path, template_cache: Path, tmp_path: Path
) -> None:
    run = demo(
        tmp_path,
        base_model=base_model,
        cache=template_cache,
        refresh=True,
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
    )
    assert run.status == 0, run.told
    check_report(run.report)
    assert any(version["kind"] == "refresh" for version in run.report["versions"])
    assert run.report["records"]["duplicates"] == 1
    assert "window 1 closed: prices, 40 records, count" in run.told
    assert "produced" in run.told
    for role in ("windows", "train", "serve"):
        assert (run.out / "logs" / f"{role}.log").stat().st_size


def test_without_java_it_runs_in_memory_and_says_that_nothing_survives(
    base_model: Path, template_cache: Path, tmp_path: Path
) -> None:
    if find_spec("confluent_kafka") is None:
        absent("confluent-kafka, which brings the broker in memory, is not installed")
    (tmp_path / "bin").mkdir()
    run = demo(tmp_path, base_model=base_model, cache=template_cache, PATH=str(tmp_path / "bin"))
    assert run.status == 0, run.told
    check_report(run.report)
    assert "No local Kafka: no java on the path" in run.told
    assert "nothing in it survives the end of this process" in run.told
    assert "nothing in it survives" in run.report["broker"]
