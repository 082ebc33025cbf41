"""What a command tells of how far it is."""

from consumers.progress import EVERY_SECONDS, SeldomTold


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_course_is_told_in_words_and_seldom() -> None:
    told: list[str] = []
    clock = Clock()
    progress = SeldomTold(told.append, clock=clock)

    progress("rereading", records=10_000)
    for step in range(1, 35):
        clock.now += EVERY_SECONDS / 10
        progress("fitting", step=step, steps=34, loss=0.0)

    assert told == [
        "reading the log again, at most 10000 records",
        "fitting the encoder, step 10 of 34",
        "fitting the encoder, step 20 of 34",
        "fitting the encoder, step 30 of 34",
    ]


def test_what_goes_another_way_is_told_at_once() -> None:
    told: list[str] = []
    progress = SeldomTold(told.append, clock=Clock())

    progress("encoding", records=3)
    progress("rollback_refused", reason="its files are gone")
    progress("arm_diverged", arm="naive", reason="a loss is nan")
    progress("something_new")

    assert told == [
        "encoding the window, 3 records",
        "no rollback: its files are gone",
        "a plan came to nothing (naive): a loss is nan",
        "something new",
    ]
