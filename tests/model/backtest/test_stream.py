from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from model.backtest.slice import Slice
from model.backtest.stream import stream_of
from schemas.labeled_text import LabeledText
from tests.model.backtest.streams import TASK, a_slice, two_slices


def test_windows_reach_over_slices_and_the_last_holds_the_rest() -> None:
    windows = list(two_slices().windows(100))

    assert [len(window.records) for window in windows] == [100, 100, 40]
    assert [window.window.span.start for window in windows] == [0, 100, 200]
    assert [window.window.reason.value for window in windows] == ["count", "count", "command"]
    assert {record.id.split("-")[0] for record in windows[1].records} == {"first", "second"}


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4), size=st.integers(2, 40))
def test_windows_hold_every_record_once_in_order(lengths: list[int], size: int) -> None:
    stream = stream_of(TASK, [a_slice(f"{n}", train=n, test=1) for n in lengths], seed=0)

    held = [record for window in stream.windows(size) for record in window.records]

    assert held == list(stream.records)
    assert [record.offset for record in held] == list(range(sum(lengths)))
    assert stream.ends()[-1] == len(held)


def test_the_log_gives_back_what_a_window_named() -> None:
    stream = two_slices()
    window = list(stream.windows(100))[1]

    assert stream.read(TASK, window.window.span, strict=True) == list(window.records)


def test_a_record_without_a_time_follows_the_one_before_it() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    texts = [
        LabeledText(task=TASK, text="sales rose", label="up", event_time=noon),
        LabeledText(task=TASK, text="sales fell", label="down"),
    ]

    first, second = stream_of(TASK, [Slice("one", tuple(texts), ())], seed=0).records

    assert first.event_time == noon
    assert (second.event_time - noon).total_seconds() == 0.001
    assert second.id == f"{second.topic}/0/1"


def test_another_seed_is_another_draw_by_the_name_of_the_topic() -> None:
    spans = [str(next(two_slices(seed=seed).windows(50)).window.span) for seed in (0, 1, 1)]

    assert spans[0] != spans[1] == spans[2]
