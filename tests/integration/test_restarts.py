"""Every role killed with -9 mid-way and started again; afterwards an accountant reads the log."""

from pathlib import Path

from consumers.broker import LocalKafka
from consumers.broker.jars import missing_tools
from schemas.topics import TRAINING_WINDOWS, TRAINING_WINDOWS_DEAD
from tests.conftest import absent
from tests.integration.books import in_the_log, read_books
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded, kill_now
from tests.integration.texts import TASK, labeled, questions

WINDOW = 40


def check_books(here: Installation, task: str = TASK, *, records: int) -> None:
    """Every record is in exactly one entry, and the events say what the entries say."""
    here.read_on()
    log = here.records["labeled-texts"]
    books = read_books(Path(here.settings.store), task, log)
    assert set(books.taken) == in_the_log(log, task)
    assert len(books.taken) == len(books.taught) == records
    assert set(books.taken.values()) == set(books.taught.values()) == {1}
    sequences = [entry["sequence"] for entry in books.entries]
    assert [event.sequence for event in here.evaluations(task)] == sequences
    announced = [entry["sequence"] for entry in books.entries if entry["version"]]
    assert [version.version for version in here.versions(task)] == announced
    assert not here.records[TRAINING_WINDOWS_DEAD.name]


def test_every_role_is_killed_mid_way_and_no_record_is_lost_or_learned_twice(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    with here.roles("windows", "train", "serve") as group:
        here.write(encoded(labeled(3 * WINDOW + 10)))
        here.until(lambda: bool(here.versions()))
        here.await_serve()
        here.ask(questions(50))

        # The window in the making is in nobody's memory but the log's.
        group.roles["windows"].kill()
        here.write(encoded(labeled(WINDOW, start=3 * WINDOW + 10)))
        group.roles["windows"].start()
        here.until(lambda: len(here.windows()) >= 4)

        # Between the entry, its events and the commit, wherever that falls.
        group.roles["train"].kill()
        here.write(encoded(labeled(2 * WINDOW, start=4 * WINDOW + 10)))
        here.until(lambda: len(here.windows()) >= 6, alive=False)
        seen = len(here.logged("train", "worker_started"))
        group.roles["train"].start()
        here.until(lambda: len(here.logged("train", "worker_started")) > seen)
        kill_now(int(here.logged("train", "worker_started")[-1]["pid"]))

        group.roles["serve"].kill()
        here.ask(questions(50, start=50))
        group.roles["serve"].start()
        here.write(encoded(labeled(WINDOW - 10, start=6 * WINDOW + 10)))
        here.close_windows(TASK)
        here.until(lambda: here.labels_learned(TASK) == 7 * WINDOW)
        here.until(lambda: len(here.predictions()) == 100)
    check_books(here, records=7 * WINDOW)
    assert set(here.predictions()) == {f"question-{n}" for n in range(100)}


def test_two_window_roles_and_a_crash_lose_and_repeat_nothing(install: Install) -> None:
    here = install(records=WINDOW)
    tasks = ("left", "right")

    def write(count: int, start: int) -> None:
        for partition, task in enumerate(tasks):
            here.write(encoded(labeled(count, start=start, task=task)), partition=partition)

    with here.roles("windows", "train") as group:
        write(2 * WINDOW + 7, 0)
        here.until(lambda: len(here.windows()) >= 4)
        group.start("windows", name="windows-2")
        write(WINDOW, 2 * WINDOW + 7)
        here.until(lambda: bool(here.logged("windows-2", "assigned")))
        write(WINDOW, 3 * WINDOW + 7)
        here.until(lambda: len(here.windows()) >= 8)
        killed = group.roles.pop("windows-2")
        killed.kill()
        write(WINDOW - 7, 4 * WINDOW + 7)
        here.until(lambda: all(here.labels_learned(task) == 5 * WINDOW for task in tasks))
    for task in tasks:
        check_books(here, task, records=5 * WINDOW)


def test_two_training_roles_and_a_crash_do_not_fork_a_lineage(install: Install) -> None:
    here = install(records=WINDOW)
    tasks = ("left", "right")

    def write(count: int, start: int) -> None:
        for partition, task in enumerate(tasks):
            here.write(encoded(labeled(count, start=start, task=task)), partition=partition)

    with here.roles("windows", "train") as group:
        write(2 * WINDOW, 0)
        here.until(lambda: all(here.labels_learned(task) == 2 * WINDOW for task in tasks))
        group.start("train", name="train-2")
        write(2 * WINDOW, 2 * WINDOW)
        here.until(lambda: bool(here.logged("train-2", "assigned")))
        write(2 * WINDOW, 4 * WINDOW)
        here.until(lambda: all(here.labels_learned(task) == 6 * WINDOW for task in tasks))
        killed = group.roles.pop("train")
        killed.kill()
        write(WINDOW, 6 * WINDOW)
        here.until(lambda: all(here.labels_learned(task) == 7 * WINDOW for task in tasks))
    for task in tasks:
        check_books(here, task, records=7 * WINDOW)
    windows = here.records[TRAINING_WINDOWS.name]
    assert {record.partition for record in windows} == {0, 1}, "the roles shared nothing"


def test_a_broker_that_is_killed_and_comes_back_costs_no_record(
    install: Install, tmp_path: Path
) -> None:
    if fault := missing_tools():
        absent(f"no broker of the test's own: {fault}")
    with LocalKafka(tmp_path / "kafka") as broker:
        here = install(records=WINDOW, bootstrap_servers=broker.bootstrap_servers)
        with here.roles("windows", "train", "serve"):
            here.write(encoded(labeled(2 * WINDOW + 5)))
            here.until(lambda: bool(here.versions()))
            here.await_serve()
            broker.kill()
            broker.start()
            here.write(encoded(labeled(2 * WINDOW - 5, start=2 * WINDOW + 5)))
            here.ask(questions(20))
            here.until(lambda: here.labels_learned(TASK) == 4 * WINDOW)
            here.until(lambda: len(here.predictions()) == 20)
        check_books(here, records=4 * WINDOW)
        here.close()
