"""Kafka's jars: whole or not there, fetched once, with words where it fails."""

import multiprocessing
from pathlib import Path

import pytest

from consumers.broker import jars
from consumers.broker.errors import BrokerError

# A Maven that takes its time, counts its calls and writes one jar.
MAVEN = """#!/bin/sh
echo called >> "$0.calls"
for word in "$@"; do
  case "$word" in -DoutputDirectory=*) out="${word#-DoutputDirectory=}";; esac
done
mkdir -p "$out" && touch "$out/kafka_2.13-4.3.0.jar"
"""


def install(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text(script)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return tool


def test_two_first_runs_at_once_fetch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = install(tmp_path / "bin", "mvn", MAVEN, monkeypatch)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map(jars.fetch_jars, [tmp_path / "cache"] * 3)
    assert len(set(found)) == 1
    assert [jar.name for jar in found[0].iterdir()] == ["kafka_2.13-4.3.0.jar"]
    assert Path(f"{maven}.calls").read_text() == "called\n"
    assert not list((tmp_path / "cache" / "kafka").glob("fetch-*"))


def test_a_failed_download_tells_what_maven_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bin", "mvn", "#!/bin/sh\necho repository is down\nexit 3", monkeypatch)
    with pytest.raises(BrokerError, match=r"(?s)exit 3.*repository is down"):
        jars.fetch_jars(tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache" / "kafka").iterdir()] == [".lock"]


def test_a_maven_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "bin", "mvn", "#!/bin/sh\nexec sleep 60", monkeypatch)
    with pytest.raises(BrokerError, match="within 0 s"):
        jars.fetch_jars(tmp_path / "cache", timeout_seconds=0.1)


@pytest.mark.parametrize(
    ("says", "version"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_402"', 8), ("?", None)],
)
def test_the_version_of_java_is_read(
    says: str, version: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "java", f"#!/bin/sh\necho '{says}' >&2", monkeypatch)
    assert jars.java_version() == version


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no java" in (jars.missing_tools() or "")
    (tmp_path / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2")
    (tmp_path / "java").chmod(0o755)
    assert "java is version 11, and 17 or later" in (jars.missing_tools() or "")
    (tmp_path / "java").write_text("#!/bin/sh\necho 'openjdk version \"21\"' >&2")
    assert "no mvn" in (jars.missing_tools() or "")
    with pytest.raises(BrokerError, match="No mvn on the path"):
        jars.fetch_jars(tmp_path / "cache")
