"""Windows close by count, age, idleness and command, and never overlap."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.windows.accumulator import Arrival, WindowAccumulator
from model.config import WindowConfig
from schemas.topics import MAX_RECORD_BYTES
from schemas.window import MOST_LABELS, CloseReason, TrainingWindow, digest_ids

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def accumulator(
    records: int = 3,
    *,
    age: float = 1e6,
    idle: float = 600.0,
    commands: dict[str, list[int]] | None = None,
) -> WindowAccumulator:
    config = WindowConfig(records=records, max_age_seconds=age, max_idle_seconds=idle)
    return WindowAccumulator("labeled-texts", 0, lambda _task: config, commands)


def add(
    held: WindowAccumulator,
    offset: int,
    *,
    task: str = "a",
    appended: int | None = None,
    seconds: float = 0.0,
) -> list[TrainingWindow]:
    stamp = offset if appended is None else appended
    return held.add([Arrival(offset, task, f"r{offset}", "up", stamp, seconds)], now=T0)


def spans(windows: Sequence[TrainingWindow]) -> list[tuple[int, int]]:
    return [(window.span.start, window.span.end) for window in windows]


def test_a_window_closes_with_its_last_record_by_count() -> None:
    held = accumulator(3)
    assert [add(held, n) for n in (10, 11)] == [[], []]
    (window,) = add(held, 14)
    assert window.reason is CloseReason.COUNT
    assert spans([window]) == [(10, 15)]
    assert window.window_id == "a/labeled-texts/0/10-15"
    assert window.num_records == 3
    assert window.digest == digest_ids(["r10", "r11", "r14"])
    assert window.label_counts == {"up": 3}
    assert window.last_appended_at == datetime.fromtimestamp(0.014, UTC)


def test_the_counts_of_a_window_of_very_many_labels_fit_into_its_event() -> None:
    held = accumulator(3000)
    arrivals = [
        Arrival(n, "a", f"r{n}", f"{max(n, 1000):05d}".ljust(200, "\x01"), n, 0.0)
        for n in range(3000)
    ]
    (window,) = held.add(arrivals, now=T0)
    assert (window.num_records, len(window.label_counts)) == (3000, MOST_LABELS)
    assert max(window.label_counts.values()) == 1001
    assert len(window.encode()) < MAX_RECORD_BYTES


def test_one_batch_may_close_several_windows() -> None:
    held = accumulator(2)
    arrivals = [Arrival(n, "ab"[n % 2], f"r{n}", "up", n, 0.0) for n in range(7)]
    assert spans(held.add(arrivals, now=T0)) == [(0, 3), (1, 4), (4, 7)]
    assert held.add(arrivals, now=T0) == []
    assert held.committable == 5


def test_the_oldest_open_window_holds_back_the_commit() -> None:
    held = accumulator(2)
    assert held.committable is None
    add(held, 5, task="quiet")
    add(held, 6)
    add(held, 7)
    assert held.committable == 5
    add(held, 8, task="quiet")
    assert held.committable == held.position == 9


def test_a_bad_record_moves_the_position_but_not_an_open_window() -> None:
    held = accumulator(3)
    held.skip(4)
    assert held.committable == 5
    add(held, 5)
    held.skip(6)
    assert (held.committable, held.position) == (5, 7)


def test_a_later_event_time_than_allowed_closes_before_the_record() -> None:
    held = accumulator(10, age=60.0)
    add(held, 1, seconds=0)
    assert add(held, 2, seconds=60.0) == []
    (window,) = add(held, 3, seconds=60.5)
    assert (window.reason, spans([window])) == (CloseReason.AGE, [(1, 3)])
    assert held.committable == 3


def test_an_out_of_order_event_time_closes_nothing() -> None:
    held = accumulator(10, age=60.0)
    add(held, 1, seconds=1000.0)
    assert add(held, 2, seconds=0.0) == []


def test_an_idle_window_closes_at_its_wall_clock_age() -> None:
    held = accumulator(10, idle=5.0)
    add(held, 1)
    assert held.tick(T0 + timedelta(seconds=4.9)) == []
    (window,) = held.tick(T0 + timedelta(seconds=5))
    assert window.reason is CloseReason.IDLE
    assert held.tick(T0 + timedelta(seconds=50)) == []


def test_a_clock_that_is_set_back_keeps_no_window_open() -> None:
    held = accumulator(10, idle=5.0)
    ahead = T0 + timedelta(days=1)
    held.add([Arrival(0, "a", "r0", "up", 0, 0.0)], now=ahead)
    assert held.tick(T0) == []
    assert held.tick(T0 + timedelta(seconds=4)) == []
    (window,) = held.tick(T0 + timedelta(seconds=5))
    assert window.reason is CloseReason.IDLE


def test_a_command_closes_at_once_where_all_has_been_read() -> None:
    held = accumulator(10)
    add(held, 1, appended=100)
    add(held, 2, task="b", appended=100)
    (window,) = held.command("a", given=100, end=3, now=T0)
    assert (window.task, window.reason, spans([window])) == ("a", CloseReason.COMMAND, [(1, 2)])
    assert held.command("a", given=100, end=3, now=T0) == []


def test_a_lagging_partition_first_reads_what_came_before_the_command() -> None:
    held = accumulator(10)
    add(held, 1, appended=100)
    assert held.command("a", given=150, end=4, now=T0) == []
    add(held, 2, appended=120)
    assert held.passed(now=T0) == []
    held.skip(3)
    (window,) = held.passed(now=T0)
    assert spans([window]) == [(1, 3)]


def test_a_record_appended_after_the_command_opens_the_next_window() -> None:
    held = accumulator(10)
    held.command("a", given=150, end=99, now=T0)
    add(held, 1, appended=100)
    assert add(held, 2, appended=150) == []
    (window,) = add(held, 3, appended=151)
    assert (window.reason, spans([window])) == (CloseReason.COMMAND, [(1, 3)])
    add(held, 98, appended=200)
    assert held.passed(now=T0) == []
    assert held.committable == 3


def test_commands_of_the_past_cut_where_they_cut_before() -> None:
    held = accumulator(10, commands={"a": [250, 150]})
    closed = [w for n, t in enumerate([100, 200, 240, 300]) for w in add(held, n, appended=t)]
    assert spans(closed) == [(0, 1), (1, 3)]


Step = tuple[int, bool]


@settings(max_examples=150, deadline=None)
@given(
    tasks=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=60),
    size=st.integers(1, 7),
    restarts=st.lists(st.integers(0, 60), max_size=5),
    commands=st.lists(st.integers(0, 60), max_size=3),
    again=st.integers(0, 4),
)
def test_any_redelivery_and_restart_gives_windows_without_gap_or_overlap(
    tasks: list[str | None], size: int, restarts: list[int], commands: list[int], again: int
) -> None:
    """`None` is a bad record; a restart drops all state and reads from the committed offset."""
    known = {"a": [10 * given for given in commands]}
    published: dict[str, dict[tuple[int, int], TrainingWindow]] = {"a": {}, "b": {}}
    committed, left = 0, sorted(restarts)
    held, offset = accumulator(size, commands=known), 0
    while offset < len(tasks):
        for seen in range(max(committed, offset - again), offset + 1):  # redelivered, then new
            task = tasks[seen]
            if task is None:
                held.skip(seen)
                continue
            for window in add(held, seen, task=task, appended=10 * seen):
                published[task][window.span.start, window.span.end] = window
        committed = held.committable or committed
        offset += 1
        if left and offset >= left[0]:
            left.pop(0)
            held, offset = accumulator(size, commands=known), committed
    for task, windows in published.items():
        through = -1
        covered: list[int] = []
        for (start, end), window in sorted(windows.items()):
            inside = [n for n in range(start, end) if tasks[n] == task]
            assert window.digest == digest_ids([f"r{n}" for n in inside])
            covered += [n for n in inside if n > through]  # as training trims
            through = max(through, end - 1)
        wanted = [n for n, name in enumerate(tasks) if name == task]
        assert covered == wanted[: len(covered)]
        still_open = wanted[len(covered) :]
        assert not still_open or committed <= still_open[0]
