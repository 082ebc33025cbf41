"""The jars of Apache Kafka: fetched once by Maven, kept in the user's cache, keyed by the pom."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from consumers.broker.errors import BrokerError

POM = Path(__file__).with_name("pom.xml")
MIN_JAVA = 17
DOWNLOAD_SECONDS = 600.0


def java_version() -> int | None:
    """The major version of the `java` on the path; None where there is none that runs."""
    if (java := shutil.which("java")) is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - found on the path
            [java, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    # openjdk version "17.0.15" 2025-04-15; before 9 it said "1.8.0_402"
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def missing_tools() -> str | None:
    """What keeps a local Kafka from running here, in words; None when nothing does."""
    version = java_version()
    if version is None:
        return f"no java on the path (version {MIN_JAVA} or later is needed)"
    if version < MIN_JAVA:
        return f"java is version {version}, and {MIN_JAVA} or later is needed"
    if shutil.which("mvn") is None:
        return "no mvn on the path (Maven fetches Kafka's jars)"
    return None


def fetch_jars(cache: Path, *, timeout_seconds: float = DOWNLOAD_SECONDS) -> Path:
    """The folder with Kafka's jars; fetches them where the cache does not hold them yet.

    Two first runs at once do not clash: one fetches under a lock, the other finds what it fetched.
    The folder appears by a rename, so it is whole or not there.

    Raises:
        BrokerError: Maven is missing, or it failed; its last lines are in the message.
    """
    key = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    home = cache.expanduser() / "kafka"
    jars = home / key
    if jars.is_dir():
        return jars
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{key}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch_into(jars, timeout_seconds)
    return jars


def _fetch_into(jars: Path, timeout_seconds: float) -> None:
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix="fetch-") as scratch:
        libs = Path(scratch, "libs")
        pom = shutil.copy(POM, scratch)  # Maven writes a target folder beside it
        _run_maven(["-f", str(pom), f"-DoutputDirectory={libs}"], timeout_seconds)
        if not any(libs.glob("kafka_*.jar")):
            raise BrokerError(f"Maven said that all is well, but fetched no Kafka into {libs}.")
        libs.rename(jars)


def _run_maven(arguments: list[str], timeout_seconds: float) -> None:
    if (maven := shutil.which("mvn")) is None:
        raise BrokerError("No mvn on the path. Install Maven, or set KAFKA_BOOTSTRAP_SERVERS.")
    command = [maven, "--batch-mode", "-ntp", "dependency:copy-dependencies", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - found on the path
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"Maven did not fetch Kafka's jars within {timeout_seconds:.0f} s."
        raise BrokerError(msg) from error
    if done.returncode != 0:
        said = "\n".join(done.stdout.splitlines()[-15:])
        raise BrokerError(f"Maven could not fetch Kafka's jars (exit {done.returncode}):\n{said}")
