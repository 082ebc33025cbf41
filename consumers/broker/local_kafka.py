"""A single-node Apache Kafka (KRaft) on this machine, started and stopped by the project."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal, NoReturn, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.broker.errors import BrokerError
from consumers.broker.jars import fetch_jars, missing_tools
from consumers.broker.properties import server_properties
from consumers.file_lock import try_lock
from consumers.guard import signal_group, start_guarded, stop_guarded

DEFAULT_CACHE = Path("~/.cache/freshet")
LOG4J = Path(__file__).with_name("log4j2.properties")
ASK_EVERY_SECONDS = 0.1
FORMAT_SECONDS = 60.0


class LocalKafka:
    """One broker with its own ports, data and process group; it dies with this process.

    `stop`, `kill` and `start` may follow each other: port and data stay the same. Data that an
    earlier one left in the folder is served again. Start it on the main thread where that can be:
    see `consumers.guard`.

    Args:
        folder: of its data, its log and its settings.
        port: on 127.0.0.1; a free one where none is given.
        cache: of Kafka's jars.
        memory_mib: of its heap, at most.
        properties: in place of those of `server_properties`; read at each start.
        cluster_id: of the cluster whose node it is, by `properties`; its own where none is given.
    """

    kind: Literal["kafka"] = "kafka"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        cache: Path = DEFAULT_CACHE,
        memory_mib: int = 512,
        properties: Mapping[str, str] | None = None,
        cluster_id: str | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = free_port() if port is None else port
        self._controller_port = free_port()
        self._lock: IO[str] | None = None
        self._cache = cache
        self._memory_mib = memory_mib
        self._properties = properties
        self._cluster_id = cluster_id or new_cluster_id()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Its address, `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The broker's own log."""
        return self.folder / "kafka.log"

    @property
    def note(self) -> str:
        """One line on what this broker is."""
        return f"Apache Kafka at {self.bootstrap_servers}, its data in {self.folder}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else None

    def start(self, *, timeout_seconds: float = 90.0) -> Self:
        """Fetch and format what is missing, start, and return when the broker answers.

        Raises:
            BrokerError: java or mvn is missing, the download failed, or it did not answer in time.
        """
        if self.pid is None:
            self.launch()
            self.await_answer(timeout_seconds=timeout_seconds)
        return self

    def prepare(self) -> Path:
        """Fetch and format what is missing; returns the folder of the jars.

        Raises:
            BrokerError: java or mvn is missing, or the download failed.
        """
        if fault := missing_tools():
            raise BrokerError(f"A local Kafka cannot run here: {fault}.")
        jars = fetch_jars(self._cache)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._claim()
        self._write_properties()
        if not self._data.is_dir():
            self._format(jars)
        return jars

    def launch(self) -> None:
        """Prepare, start, and return at once.

        Raises:
            BrokerError: as `prepare`.
        """
        jars = self.prepare()
        with self.log.open("ab") as output:
            command = self._java(jars, "kafka.Kafka", str(self._server_properties))
            self._process = start_guarded(command, output=output, folder=self.folder)

    def await_answer(self, *, timeout_seconds: float = 90.0) -> None:
        """Return when the broker answers; one that does not in time is killed.

        Raises:
            BrokerError: it did not; the end of its log is in the message.
        """
        try:
            self._await_answer(time.monotonic() + timeout_seconds)
        except BaseException:  # Ctrl-C too: nothing may stay behind
            self.kill()
            raise

    def await_end(self) -> NoReturn:
        """Wait as long as it runs.

        Raises:
            BrokerError: it has ended by itself; the end of its log is in the message.
        """
        if self._process is not None:
            self._process.wait()
        raise BrokerError(f"Kafka ended by itself.\n{self._last_lines()}")

    def stop(self, *, grace_seconds: float = 15.0) -> None:
        """Shut down in good order, by SIGKILL after the grace time; data and port are kept."""
        if self._process is not None:
            stop_guarded(self._process, grace_seconds=grace_seconds)
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)
            self.stop(grace_seconds=0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _server_properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, jars: Path, *program: str) -> list[str]:
        return [
            shutil.which("java") or "java",
            f"-Xmx{self._memory_mib}m",
            "-Xlog:disable",
            f"-Dlog4j2.configurationFile={LOG4J}",
            "-cp",
            f"{jars}/*",
            *program,
        ]

    def _claim(self) -> None:
        """Keep other processes from using the folder, until this one ends or stops its broker."""
        if self._lock is not None:
            return
        self._lock = try_lock(self.folder / ".lock")
        if self._lock is None:
            raise BrokerError(f"another broker runs on {self.folder}")

    def _write_properties(self) -> None:
        text = server_properties(
            data=self._data,
            port=self.port,
            controller_port=self._controller_port,
            overrides=self._properties,
        )
        self._server_properties.write_text(text, encoding="utf-8")

    def _format(self, jars: Path) -> None:
        # `=`: an id may begin with a dash.
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster_id}"]
        command = self._java(jars, *tool, "--config", str(self._server_properties))
        try:
            done = subprocess.run(  # noqa: S603 - java from the path
                command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            shutil.rmtree(self._data, ignore_errors=True)
            raise BrokerError(f"Kafka did not format {self._data} in time.") from error
        except BaseException:  # Ctrl-C too: half made, it would be taken for whole the next time
            shutil.rmtree(self._data, ignore_errors=True)
            raise
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise BrokerError(f"Kafka could not format {self._data}:\n{done.stdout}{done.stderr}")

    def _await_answer(self, deadline: float) -> None:
        while not self._answers():
            if self.pid is None:
                raise BrokerError(f"Kafka ended while it started.\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer in time.\n{self._last_lines()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self._process is not None:
                    self._process.wait(ASK_EVERY_SECONDS)

    def _answers(self) -> bool:
        # First the port alone: kafka-python waits long and logs much where nobody listens.
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=2_000
            )
        except (KafkaError, OSError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            admin.close()

    def _last_lines(self, count: int = 15) -> str:
        if not self.log.exists():
            return f"It wrote no log to {self.log}."
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
        return "\n".join([f"The last lines of {self.log}:", *lines])


def new_cluster_id() -> str:
    """An id as the brokers of one cluster share it: 16 bytes in base64."""
    return urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel hands to outgoing connections.

    So that after a `kill` no connection takes the port that the restart needs.
    """
    for _ in range(100):
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise BrokerError(f"No free port between 20000 and 32000 (process {os.getpid()}).")


def port_fault(port: int) -> str | None:
    """Why a broker could not listen on a port of this machine; None where it could."""
    with socket.socket() as probe:  # a listener on every address lets some systems bind one of them
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return "something listens there already"
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror or str(error)
    return None
