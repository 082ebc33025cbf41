"""The settings of every role, from `FRESHET_*` variables and an optional YAML file for tasks."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from consumers.tasks_file import TasksFile, read_tasks
from model.config import TaskConfig
from model.errors import ConfigError
from model.setting_faults import described
from schemas.topics import MAX_RECORD_BYTES

__all__ = [
    "REPRODUCIBLE",
    "Settings",
    "TasksFile",
    "child_environment",
    "extend_environment",
    "load_settings",
]

ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s:/@\[\]]+):([0-9]{1,5})")
"""`host:port`; an address of IPv6 in brackets."""

REPRODUCIBLE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""cuBLAS is reproducible only where this is set before CUDA starts."""


def _addresses(given: str) -> str:
    """Brokers, each of which can be one; none at all is as if none was named."""
    parts = [part.strip() for part in given.split(",")] if given else []
    for part in parts:
        found = ADDRESS.fullmatch(part)
        if found is None or not 1 <= int(found[1]) <= 65535:
            msg = "Each should be host:port with a port from 1 to 65535; this is not: {part}"
            raise PydanticCustomError("address", msg, {"part": repr(part)})
    return ",".join(parts)


class Settings(BaseSettings):
    """What a role needs to know, frozen. `FRESHET_STORE=...` sets `store`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="FRESHET_",
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        populate_by_name=True,
    )

    bootstrap_servers: Annotated[
        str,
        AfterValidator(_addresses),
        Field(
            validation_alias=AliasChoices("FRESHET_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS")
        ),
    ] = "localhost:9092"
    """Kafka brokers, `host:port` with commas between; `KAFKA_BOOTSTRAP_SERVERS` works too."""
    memory_broker: bool = False
    """The broker is librdkafka's mock: `freshet demo` says so to the roles that it starts on it."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Comes before every topic and consumer group: two installations on one broker."""
    replication_factor: Annotated[int, Field(ge=1)] = 1
    """Of topics that `freshet topics` creates."""
    partitions: Annotated[int, Field(ge=1)] = 4
    """Of topics that `freshet topics` creates."""
    store: str = "freshet-store"
    """Where versions live: a folder, or `s3://`, `gs://`, `az://` with a path."""
    cache: Path = Path("~/.cache/freshet")
    """Folder of this machine for fetched artifacts and exported graphs."""
    config: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = None
    """YAML file with `defaults` and `tasks`."""
    strict_tasks: bool = False
    """Only tasks named in the YAML file are accepted; records of others are dead letters."""
    max_record_bytes: Annotated[int, Field(ge=1024)] = MAX_RECORD_BYTES
    """Larger records, which a compressed batch can hold, are dead letters, unread. A text takes up
    to 12 bytes a character in JSON: raise this with `max_text_chars`."""
    max_text_chars: Annotated[int, Field(ge=1)] = 20_000
    """Longer texts are dead letters."""
    max_label_chars: Annotated[int, Field(ge=1, le=200)] = 200
    """Records with longer labels are dead letters; no label may be longer than 200 characters."""
    flood_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The role stops when more than this share of the last `flood_records` records is bad."""
    flood_records: Annotated[int, Field(ge=10)] = 1000
    """Records over which `flood_ratio` is taken."""
    flood_in_a_row: Annotated[int, Field(ge=0)] = 500
    """The role stops when more than so many records of a partition are bad one after the other;
    0 is no limit."""
    wait_for_model_seconds: Annotated[float, Field(ge=0)] = 300.0
    """How long a text of a task without a version is held before it is a dead letter."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """Tries of one update before its window is a dead letter."""
    max_failed_windows: Annotated[int, Field(ge=1)] = 5
    """Windows that may fail one after the other with the same error; then training stops, since
    every further window would be lost to it."""
    prune_minutes: Annotated[float, Field(ge=0)] = 60.0
    """The train role removes what no kept version needs after a round, at most so often; 0 leaves
    that to `freshet models prune`."""
    max_artifact_bytes: Annotated[int, Field(ge=1)] = 2 * 2**30
    """A follower refuses a version with a larger graph; 2 GiB is the most that one file of ONNX can
    have."""
    max_tokenizer_bytes: Annotated[int, Field(ge=1)] = 64 * 2**20
    """A follower refuses a version with a larger tokenizer, which takes many times its size in
    memory."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads of torch, BLAS and onnxruntime in one process; 0 takes every core."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; `auto` takes CUDA where it works."""
    session_timeout_seconds: Annotated[float, Field(ge=6)] = 10.0
    """Time without a heartbeat after which the broker gives a role's partitions away."""
    shutdown_seconds: Annotated[float, Field(gt=0)] = 20.0
    """Longest time for draining and leaving; then a role ends with status 1. Give whoever stops it
    (`terminationGracePeriodSeconds`) more."""
    stall_seconds: Annotated[float, Field(ge=1)] = 60.0
    """How long a partition with records to read, or the event loop, may stand still. Then the role
    seeks back to what it committed, joins its group anew, and at last ends with status 1."""
    work_stall_seconds: Annotated[float, Field(ge=1)] = 600.0
    """How long work in hand (a fit, an upload, answers) may give no sign of getting on; more than a
    store or a broker may keep it waiting."""
    health_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of `/live`, `/ready` and `/status` over HTTP; 0: none."""
    health_host: str = "127.0.0.1"
    """Address that `health_port` listens on; `0.0.0.0` for probes from outside."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal, else `json`."""
    tasks_file: Annotated[TasksFile, Field(exclude=True)] = TasksFile()

    @property
    def finish_seconds(self) -> float:
        """Time for the work in hand when a role is told to stop; the rest is for leaving."""
        return self.shutdown_seconds / 2

    @property
    def leave_seconds(self) -> float:
        """Time for the broker's answers when a role leaves its group."""
        return self.shutdown_seconds / 4

    @property
    def broker_given(self) -> bool:
        """Whether anybody named a broker, or `bootstrap_servers` is only the default."""
        return "bootstrap_servers" in self.model_fields_set and bool(self.bootstrap_servers)

    def topic(self, name: str) -> str:
        """The name on the broker of a topic of `schemas.topics`."""
        return f"{self.prefix}{name}"

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"{self.prefix}freshet-{role}"

    def knows(self, task: str) -> bool:
        """Whether records of the task are accepted."""
        return not self.strict_tasks or task in self.tasks_file.tasks

    def task(self, name: str) -> TaskConfig:
        """How a task learns: the defaults, overridden by what the file says of it."""
        return TaskConfig.model_validate(self.tasks_file.merged(name))


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and the YAML file; `overrides` (from the command line) win.

    Raises:
        ConfigError: with every fault at once and the values at fault.
    """
    faults = _misspelt()
    settings = None
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [_described_variable(fault) for fault in error.errors()]
    given = overrides.get("config") or os.environ.get("FRESHET_CONFIG") or None
    path = settings.config if settings else given
    tasks = TasksFile()
    if path is not None:
        tasks, found = read_tasks(Path(path))
        faults += found
    if faults or settings is None:
        msg = "These settings cannot work:\n" + "\n".join(f"  - {fault}" for fault in faults)
        raise ConfigError(msg)
    return settings.model_copy(update={"tasks_file": tasks})


def _misspelt() -> list[str]:
    """Variables that are almost a setting.

    Others with our prefix are let be: Kubernetes makes some for a Service named `freshet`.
    """
    known = [name.upper() for name in Settings.model_fields]
    found = []
    for variable in sorted(os.environ):
        name = variable.removeprefix("FRESHET_")
        if name == variable or name in known:
            continue
        if near := get_close_matches(name, known, 1, cutoff=0.8):
            found.append(f"{variable}: unknown setting; is FRESHET_{near[0]} meant?")
    return found


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment for a role started from here: this process's own, then `overrides`."""
    return {**os.environ, **overrides}


def extend_environment(values: Mapping[str, str]) -> None:
    """Set what is not set in this process, for libraries that read it as they start."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _described_variable(fault: Any) -> str:
    name, *rest = fault["loc"]
    variable = f"FRESHET_{str(name).upper().removeprefix('FRESHET_')}"
    return described({**fault, "loc": (variable, *rest)})
