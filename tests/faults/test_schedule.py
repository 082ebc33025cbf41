"""The timeline is a pure function of the seed, and every kind of fault comes up."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.campaign import FAULTS, drawn, on_three_nodes
from tests.faults.injector import plans_of
from tests.faults.plan import FaultPlan
from tests.faults.schedule import MEANS, POINTS, SINGLE, Fault, Kind, ends, timeline
from tests.faults.stream import Planned, asking_stream, labeled_stream

SEEDS = st.integers(min_value=0, max_value=2**31)
EVERY = settings(max_examples=30, deadline=None)  # the machine may be busy


@EVERY
@given(SEEDS)
def test_the_same_seed_draws_the_same_timeline(seed: int) -> None:
    assert drawn(seed) == drawn(seed)


def test_another_seed_draws_another_timeline() -> None:
    assert len({drawn(seed) for seed in range(50)}) == 50


def test_a_timeline_is_what_it_was_before() -> None:
    # A changed draw would replay another round under an old seed: change this knowingly.
    assert [str(fault) for fault in timeline(1, seconds=6, faults=3)] == [
        "  0.30 s, for  7.06 s: tamper of serve-1",
        "  3.57 s, for  0.00 s: kill-worker of train-1",
        "  5.33 s, for  0.75 s: kill of train-1",
    ]


@EVERY
@given(SEEDS)
def test_every_kind_comes_up_before_any_comes_up_again(seed: int) -> None:
    faults = timeline(seed, seconds=60, faults=2 * len(SINGLE), kinds=SINGLE)
    assert Counter(fault.kind for fault in faults) == dict.fromkeys(SINGLE, 2)
    assert len({fault.kind for fault in faults[: len(SINGLE)]}) == len(SINGLE)


@EVERY
@given(SEEDS)
def test_a_round_has_every_kind_of_fault_that_its_brokers_know(seed: int) -> None:
    kinds = {fault.kind for fault in drawn(seed)}
    assert kinds >= (set(Kind) if on_three_nodes(seed) else set(SINGLE))
    assert len(drawn(seed)) == FAULTS


@EVERY
@given(SEEDS)
def test_every_fault_hits_something_that_it_can_hit(seed: int) -> None:
    for fault in timeline(seed, seconds=30, faults=28, kinds=tuple(Kind), nodes=("1", "2", "3")):
        known = ("1", "2", "3") if fault.kind is Kind.BROKER else MEANS[fault.kind].targets
        assert fault.target in known
        assert MEANS[fault.kind].shortest <= fault.seconds <= MEANS[fault.kind].longest
        if fault.kind is Kind.CRASH:
            assert fault.point in POINTS[fault.target.partition("-")[0]]


@EVERY
@given(SEEDS)
def test_faults_begin_in_order_within_the_time_and_overlap(seed: int) -> None:
    faults = timeline(seed, seconds=28, faults=14)
    starts = [fault.at for fault in faults]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] <= 28
    assert ends(faults) == max(fault.at + fault.seconds for fault in faults)
    assert any(b.at < a.ends for a, b in pairwise(faults))


def test_a_role_is_started_with_the_plan_of_its_faults(tmp_path: Path) -> None:
    faults = (
        Fault(0, 1.0, Kind.CRASH, "train-1", 5.0, "after_upload_before_commit", 2),
        Fault(1, 2.0, Kind.DISK_FULL, "train-1", 3.0),
        Fault(2, 3.0, Kind.CLOCK, "serve-2", 3.0, amount=-600.0),
        Fault(3, 4.0, Kind.KILL, "windows-1", 0.0),
    )
    made = plans_of(faults, tmp_path)
    assert made.keys() == {"train-1", "serve-2"}
    plan = FaultPlan.model_validate_json((tmp_path / "train-1" / "plan.json").read_bytes())
    [crash], [full] = plan.points, plan.store
    assert (crash.point, crash.nth, full.kind) == ("after_upload_before_commit", 2, "full")
    assert crash.switched
    assert full.switched


def first(count: int, seed: int) -> list[Planned]:
    stream = labeled_stream(seed)
    return [next(stream) for _ in range(count)]


@EVERY
@given(SEEDS)
def test_the_same_seed_writes_the_same_records(seed: int) -> None:
    assert first(100, seed) == first(100, seed)


def test_a_stream_has_good_bad_repeated_corrected_and_oversized_records_on_all_partitions() -> None:
    stream = first(2000, 3)
    shares = Counter(planned.intent for planned in stream)
    assert shares["good"] > 1400
    assert min(shares[name] for name in ("duplicate", "corrected", "bad", "oversized")) > 20
    assert {planned.partition for planned in stream} == {0, 1}
    asking = asking_stream(3)
    assert {next(asking).intent for _ in range(300)} == {"good", "bad"}
