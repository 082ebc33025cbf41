"""What stands still, and what is done about it: the decision alone, on a clock of the test's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.batches import Place
from consumers.health.watchdog import Look, Reading, Step, Verdict, Watchdog, Work

ONE: Place = ("texts", 1)
TWO: Place = ("texts", 2)
LIMIT, WORK_LIMIT = 60.0, 600.0


class Watch:
    """A watchdog that is shown the same thing for a while, with a look every second."""

    def __init__(self, *, longest_gap_seconds: float = math.inf) -> None:
        self.dog = Watchdog(LIMIT, WORK_LIMIT, longest_gap_seconds)
        self.now, self.handed = 1000.0, 0
        self.verdict = Verdict(still={})

    def stalled(self) -> list[Place]:
        return list(self.verdict.stalled)

    def sees(
        self,
        partitions: dict[Place, Reading],
        *,
        seconds: float,
        work: Work | None = None,
        every: float = 1.0,
        handed: int = 0,
    ) -> list[tuple[float, Step]]:
        """The steps that it takes, and when: seconds since the first of these looks."""
        steps, began = [], self.now
        while self.now < began + seconds:
            self.handed += handed
            self.verdict = self.dog.observe(Look(self.now, partitions, work, self.handed))
            if self.verdict.step is not None:
                steps.append((self.now - began, self.verdict.step))
            self.now += every
        return steps


def test_a_partition_with_records_that_does_not_move_is_noticed_at_the_limit() -> None:
    watch = Watch()
    assert watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT) == []
    assert watch.stalled() == []
    assert watch.sees({ONE: Reading(7, 9)}, seconds=1) == [(0, Step.SEEK)]
    assert watch.stalled() == [ONE]
    assert watch.verdict.still == {ONE: LIMIT}


def test_the_ladder_is_climbed_until_the_partition_moves() -> None:
    watch = Watch()
    steps = watch.sees({ONE: Reading(7, 9)}, seconds=4 * LIMIT)
    assert steps[:4] == [
        (LIMIT, Step.SEEK),
        (1.5 * LIMIT, Step.RENEW),
        (2 * LIMIT, Step.EXIT),
        (2.5 * LIMIT, Step.EXIT),
    ]
    assert watch.sees({ONE: Reading(8, 9)}, seconds=1) == []
    assert watch.verdict.healed == (ONE,)
    assert watch.stalled() == []


def test_going_back_to_the_committed_offset_is_no_movement() -> None:
    watch = Watch()
    watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT + 1)
    assert watch.sees({ONE: Reading(3, 9)}, seconds=LIMIT / 2) == [(LIMIT / 2 - 1, Step.RENEW)]
    watch.sees({ONE: Reading(4, 9)}, seconds=1)
    assert watch.verdict.healed == (ONE,)


def test_a_step_that_helped_for_long_enough_lets_the_ladder_begin_anew() -> None:
    watch = Watch()
    watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT + 1)
    assert watch.sees({ONE: Reading(9, 9)}, seconds=LIMIT + 1) == []
    assert watch.sees({ONE: Reading(9, 12)}, seconds=LIMIT + 1) == [(LIMIT - 1, Step.SEEK)]


def test_a_new_consumer_that_stands_still_too_is_the_end() -> None:
    watch = Watch()
    watch.sees({ONE: Reading(7, 9)}, seconds=1.5 * LIMIT + 1)
    watch.sees({}, seconds=20)  # it joins the group
    steps = watch.sees({ONE: Reading(None, 9)}, seconds=LIMIT)
    assert [step for _, step in steps] == [Step.EXIT]


def test_a_partition_without_a_position_waits_for_the_whole_log() -> None:
    watch = Watch()
    assert Reading(None, 9).lag == 9
    assert watch.sees({ONE: Reading(None, 9)}, seconds=LIMIT + 1) == [(LIMIT, Step.SEEK)]


def test_one_partition_that_flows_does_not_excuse_another() -> None:
    watch, steps = Watch(), []
    for offset in range(int(LIMIT) + 1):
        steps += watch.sees({ONE: Reading(7, 9), TWO: Reading(offset, offset + 5)}, seconds=1)
    assert steps == [(0, Step.SEEK)]
    assert watch.stalled() == [ONE]


def test_a_partition_that_is_read_to_its_end_may_rest_for_ever() -> None:
    watch = Watch()
    assert watch.sees({ONE: Reading(9, 9), TWO: Reading(None, 0)}, seconds=10 * LIMIT) == []
    assert watch.verdict.still[ONE] > 9 * LIMIT


def test_nobody_is_blamed_while_the_broker_is_away() -> None:
    watch = Watch()
    watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT - 1)
    assert watch.sees({ONE: Reading(7, None)}, seconds=10 * LIMIT) == []
    assert watch.sees({ONE: Reading(7, 9)}, seconds=5) == [(1, Step.SEEK)]


def test_time_in_which_the_process_did_not_run_does_not_count() -> None:
    watch = Watch(longest_gap_seconds=10)
    watch.sees({ONE: Reading(7, 9)}, seconds=2)
    watch.now += 24 * 3600
    assert watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT - 15) == []
    assert watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT) != []


def test_a_long_fit_that_beats_holds_its_partitions_and_is_no_stall() -> None:
    watch, steps = Watch(), []
    for _ in range(100):
        work = Work("refresh of news", watch.now, blocks=True)
        steps += watch.sees({ONE: Reading(7, 9)}, seconds=60, work=work)
    assert steps == []


def test_a_fit_that_is_silent_is_a_stall_whether_or_not_it_holds_a_partition() -> None:
    for blocks in (True, False):
        watch = Watch()
        work = Work("refresh of news", 1000.0, blocks=blocks)
        steps = watch.sees({ONE: Reading(9, 9)}, seconds=2 * WORK_LIMIT, work=work)
        assert steps[:3] == [
            (WORK_LIMIT, Step.SEEK),
            (WORK_LIMIT + LIMIT / 2 + 1, Step.RENEW),
            (WORK_LIMIT + LIMIT + 2, Step.EXIT),
        ]
        assert watch.verdict.stalled_work == "refresh of news"


def test_work_that_leaves_room_for_batches_excuses_no_partition() -> None:
    watch, steps = Watch(), []
    for _ in range(int(LIMIT) + 1):
        steps += watch.sees({ONE: Reading(7, 9)}, seconds=1, work=Work("answers", watch.now))
    assert steps == [(0, Step.SEEK)]


def test_batches_that_follow_each_other_without_a_pause_excuse_no_partition() -> None:
    watch, steps = Watch(), []
    for _ in range(int(LIMIT) + 1):
        work = Work("a batch", watch.now, blocks=True)
        steps += watch.sees({ONE: Reading(7, 9)}, seconds=1, work=work, handed=20)
    assert steps == [(0, Step.SEEK)]


def test_slow_batches_of_many_partitions_do_excuse_one_whose_turn_has_not_come() -> None:
    watch, steps = Watch(), []
    held = {("texts", number): Reading(7, 9) for number in range(50)}
    for _ in range(3 * int(LIMIT)):
        work = Work("a batch", watch.now, blocks=True)
        steps += watch.sees(held, seconds=1, work=work, handed=5)
    assert steps == []


def test_a_partition_that_was_given_away_is_forgotten() -> None:
    watch = Watch()
    watch.sees({ONE: Reading(7, 9)}, seconds=LIMIT + 1)
    watch.sees({TWO: Reading(7, 7)}, seconds=1)
    assert watch.stalled() == []
    assert watch.verdict.still.keys() == {TWO}


@pytest.mark.parametrize("every", [0.5, 3.0, 5.0])
def test_it_is_noticed_at_most_one_look_late(every: float) -> None:
    [(at, _)] = Watch().sees({ONE: Reading(7, 9)}, seconds=LIMIT + 2 * every, every=every)
    assert LIMIT <= at < LIMIT + every


LOOKS = st.lists(
    st.tuples(
        st.floats(0.1, 30),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(0, 5)),
        st.booleans(),
    ),
    max_size=60,
)


@given(LOOKS)
def test_a_partition_that_moves_or_has_nothing_to_read_never_costs_a_step(
    looks: list[tuple[float, int, int | None, bool]],
) -> None:
    dog, now, position = Watchdog(LIMIT, WORK_LIMIT), 0.0, 0
    for gap, moved, lag, blocked in looks:
        now, position = now + gap, position + moved
        # It moves, or it is at its end, or nobody knows.
        end = None if lag is None else position + (lag if moved else 0)
        work = Work("a batch", now, blocks=True) if blocked else None
        verdict = dog.observe(Look(now, {ONE: Reading(position, end)}, work))
        assert verdict.step is None
        assert verdict.stalled == ()
