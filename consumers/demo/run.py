"""`freshet demo`: the broker, every role as a process, a stream, and what came of it."""

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from consumers.broker import Broker, MemoryBroker, open_broker
from consumers.console import opened_console
from consumers.demo.display import Display, LiveDisplay, PlainDisplay
from consumers.demo.events import Fact
from consumers.demo.pacing import DEFAULT_RATE, Pacer, Pacing
from consumers.demo.plan import DemoOptions, Plan, make_plan, write_tasks_file
from consumers.demo.report import DemoReport, make_report
from consumers.demo.scoring import Scores, score_versions
from consumers.demo.session import POLL_SECONDS, DemoSession
from consumers.demo.state import DemoState
from consumers.demo.summary import summary
from consumers.demo.watch import LogTail, TopicWatch
from consumers.file_lock import try_lock
from consumers.footprint import PeakMemory
from consumers.processes import ProcessGroup
from consumers.produce import Pace, TextProducer
from consumers.settings import Settings
from consumers.signals import sigterm_unwinds
from consumers.topics_admin import ensure_topics
from model.artifacts import ArtifactStore
from model.errors import ConfigError
from schemas.topics import CONTROL, LABELED_TEXTS, TEXTS, TOPICS

ROLES = ("windows", "train", "serve")
SENT = (LABELED_TEXTS, TEXTS, CONTROL)
"""Topics that the demo itself writes to."""
MARK = ".freshet-demo"
"""Names a folder that a demo made, and that the next one may therefore empty."""
REPORT = "report.json"
PROGRAM = (sys.executable, "-m", "consumers")


@dataclass(frozen=True, slots=True)
class Streamed:
    """What is left when the roles are gone."""

    state: DemoState
    acknowledged: int
    broker: str
    peak_memory_bytes: int


def run_demo(
    options: DemoOptions, settings: Settings, *, program: Sequence[str] = PROGRAM
) -> DemoReport:
    """Run the whole loop once.

    1. Read or generate the stream; hold its test set back.
    2. Broker, topics, roles; stream, ask, watch, until all is learned and the newest version has
       answered. Then every process is stopped.
    3. Score every promoted version on the test set.
    4. Report.

    Raises:
        FreshetError: as its parts do; every process is stopped before it comes out.
    """
    began = time.monotonic()
    console = opened_console(highlight=False)
    tell = _teller(console)
    with sigterm_unwinds(), ExitStack() as stack:
        # 1.
        plan = make_plan(options)
        for complaint in plan.complaints:
            tell(complaint)
        out = stack.enter_context(_fresh_folder(options.out))
        write_tasks_file(out / "tasks.yaml", settings.tasks_file, options)
        # 2.
        streamed = _stream(
            plan, options, settings, out, program=program, console=console, tell=tell
        )
        # 3.
        scores = _scored(streamed.state, plan, out, threads=settings.threads)
        # 4.
        report = make_report(
            streamed.state,
            acknowledged=streamed.acknowledged,
            scores=scores,
            broker=streamed.broker,
            peak_memory_bytes=streamed.peak_memory_bytes,
            seconds=time.monotonic() - began,
        )
        target = (options.report or out / REPORT).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    store = out / "store"
    places: dict[str, Path | str] = {
        "report": target,
        "logs": out / "logs",
        "versions": f"{store}: freshet models list --store {store}",
    }
    width = console.width if console.is_terminal else 200
    console.print(summary(report, places=places, width=width), width=width)
    return report


def _stream(
    plan: Plan,
    options: DemoOptions,
    settings: Settings,
    out: Path,
    *,
    program: Sequence[str],
    console: Console,
    tell: Callable[[str], None],
) -> Streamed:
    tell(f"{plan.name}: {len(plan.texts)} records, {len(plan.test_set)} more held back as test set")
    with ExitStack() as stack:
        broker = stack.enter_context(open_broker(settings, folder=out / "kafka", tell=tell))
        tell(f"Broker: {broker.note}. Logs: {out / 'logs'}")
        inside = _settings_inside(settings, broker, out)
        if isinstance(broker, MemoryBroker):
            broker.make_topics(inside.topic(topic.name) for topic in TOPICS)
        ensure_topics(inside)
        memory = stack.enter_context(PeakMemory().watching())
        roles = stack.enter_context(
            ProcessGroup(
                logs=out / "logs",
                environment=_environment(inside),
                stop_order=("serve", "windows"),
                program=program,
            )
        )
        for role in ROLES:
            # One thread answers a trickle; the cores belong to training.
            roles.start(role, environment={"FRESHET_THREADS": "1"} if role == "serve" else None)
        watch = stack.enter_context(TopicWatch(inside))
        tails = [LogTail(role, roles.roles[role].log) for role in ROLES]
        producer = stack.enter_context(TextProducer(inside, who="freshet-demo", topics=SENT))

        def facts() -> list[Fact]:
            return [
                *watch.poll(POLL_SECONDS),
                *(fact for tail in tails for fact in tail.read()),
            ]

        with _display(console, tell) as display:
            session = DemoSession(
                plan,
                headline=plan.name,
                producer=producer,
                facts=facts,
                check=roles.check,
                display=display,
                pacer=Pacer(
                    Pacing(
                        rate=options.rate or DEFAULT_RATE,
                        window_records=options.window_records,
                        waits=options.rate is None,
                    )
                ),
                questions=Pace(options.questions_rate),
            )
            state = session.run()
        tell("All is learned and served; stopping the roles and scoring every version.")
    return Streamed(state, producer.acknowledged, broker.note, memory.peak_bytes)


def _scored(state: DemoState, plan: Plan, out: Path, *, threads: int) -> Scores:
    versions = [
        held.version
        for task in dict.fromkeys(text.task for text in plan.texts)
        for held in state.promoted(task)
        if held.version is not None
    ]
    store = ArtifactStore(str(out / "store"))
    return score_versions(versions, plan.test_set, artifacts=store, threads=threads)


def _settings_inside(settings: Settings, broker: Broker, out: Path) -> Settings:
    """Settings of the run: its broker, its own topics where the broker is not, its own store."""
    prefix = f"demo-{uuid.uuid4().hex[:8]}." if broker.kind == "given" else ""
    return settings.model_copy(
        update={
            "bootstrap_servers": broker.bootstrap_servers,
            "memory_broker": broker.kind == "memory",
            "prefix": prefix,
            "store": str(out / "store"),
            "config": out / "tasks.yaml",
            "log_format": "json",
        }
    )


def _environment(inside: Settings) -> dict[str, str]:
    """What the roles need to run under these settings."""
    names = (
        "bootstrap_servers", "memory_broker", "prefix", "store", "config", "log_format", "cache",
    )  # fmt: skip
    return {f"FRESHET_{name.upper()}": str(getattr(inside, name)) for name in names}


@contextmanager
def _fresh_folder(folder: Path) -> Iterator[Path]:
    """The folder, empty, and this run's alone; only what a demo made is removed.

    Raises:
        ConfigError: it holds something else, or another demo runs in it.
    """
    folder = folder.absolute()
    foreign = folder.exists() and not (folder / MARK).exists()
    if foreign and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} holds something that no demo made; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / MARK)
    if lock is None:
        raise ConfigError(f"another demo runs in {folder}; choose another --out")
    with lock:
        for name in ("kafka", "logs", "store"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / REPORT).unlink(missing_ok=True)
        yield folder


def _teller(console: Console) -> Callable[[str], None]:
    def tell(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    return tell


def _display(console: Console, tell: Callable[[str], None]) -> Display:
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(tell)
