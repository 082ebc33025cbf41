"""Each fault begins and ends at its time, on whatever it is meant for."""

from pathlib import Path
from typing import Any

from kafka.errors import KafkaConnectionError

from tests.faults.injector import Injector, plans_of
from tests.faults.plan import armed_file, fired_file
from tests.faults.schedule import Fault, Kind
from tests.waiting import becomes


class Noted:
    """Writes down every call, and stands for crew, stage and brokers alike."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.crew = self
        self.delete_windowed: Any

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **more: self.calls.append((name, *arguments, *more.values()))


def injector(folder: Path, *faults: Fault) -> tuple[Injector, Noted]:
    plans_of(faults, folder)
    noted: Any = Noted()
    return Injector(faults, stage=noted, brokers=noted, folder=folder), noted


def test_a_fault_begins_when_it_is_due_and_ends_when_its_time_is_up(tmp_path: Path) -> None:
    one, noted = injector(tmp_path, Fault(0, 2.0, Kind.PAUSE, "windows-1", 8.0))
    one.step(1.9)
    assert noted.calls == []
    one.step(2.0)
    one.step(9.9)
    assert noted.calls == [("pause", "windows-1")]
    assert not one.healed
    one.step(10.0)
    assert noted.calls == [("pause", "windows-1"), ("resume", "windows-1")]
    assert one.healed


def test_overlapping_faults_begin_and_end_in_the_order_of_time(tmp_path: Path) -> None:
    one, noted = injector(
        tmp_path,
        Fault(0, 1.0, Kind.PAUSE, "windows-1", 8.0),
        Fault(1, 2.0, Kind.TERMINATE, "serve-1", 1.0),
        Fault(2, 3.0, Kind.KILL_WORKER, "train-1", 0.0),
        Fault(3, 4.0, Kind.KILL, "train-2", 2.0, amount=1.0),
    )
    one.step(100.0)
    assert noted.calls == [
        ("pause", "windows-1"),
        ("terminate", "serve-1", 1.0),
        ("kill_worker", "train-1"),
        ("kill", "train-2", 2.0, True),
        ("resume", "windows-1"),
    ]


def test_a_broker_is_killed_and_started_again(tmp_path: Path) -> None:
    one, noted = injector(tmp_path, Fault(0, 0.0, Kind.BROKER, "2", 3.0))
    one.step(3.0)
    assert becomes(lambda: one.healed)
    assert noted.calls == [("kill", "2"), ("start", "2")]


def test_a_storm_joins_members_that_leave_again(tmp_path: Path) -> None:
    one, noted = injector(tmp_path, Fault(7, 0.0, Kind.STORM, "serve", 3.0, amount=2.0))
    one.step(3.0)
    assert [call[:2] for call in noted.calls] == [
        ("join", "serve-70"), ("join", "serve-71"), ("leave", "serve-70"), ("leave", "serve-71"),
    ]  # fmt: skip
    assert [call[2] for call in noted.calls[2:]] == [True, False]


def test_a_fault_of_a_plan_is_armed_while_it_lasts_and_fires_or_not(tmp_path: Path) -> None:
    fault = Fault(4, 1.0, Kind.STORE_ERROR, "train-1", 5.0, amount=0.5)
    one, _ = injector(tmp_path, fault)
    plan = tmp_path / "train-1" / "plan.json"
    one.step(1.0)
    assert armed_file(plan, "f4").exists()
    assert not one.fired(fault)
    fired_file(plan, "f4").touch()
    one.step(6.0)
    assert not armed_file(plan, "f4").exists()
    assert one.fired(fault)


def test_retention_waits_until_there_is_something_to_delete(tmp_path: Path) -> None:
    one, noted = injector(tmp_path, Fault(0, 1.0, Kind.RETENTION, "0", 0.0))
    windowed = False

    def delete_windowed(partition: int) -> bool:
        noted.calls.append(("delete_windowed", partition))
        if len(noted.calls) == 1:
            raise KafkaConnectionError
        return windowed

    noted.delete_windowed = delete_windowed
    one.step(1.0)
    one.step(1.5)
    assert len(noted.calls) == 1
    one.step(2.0)
    assert len(noted.calls) == 2
    assert not one.healed
    windowed = True
    one.step(3.0)
    assert one.healed
    assert one.fired(Fault(0, 1.0, Kind.RETENTION, "0", 0.0))


def test_retention_that_finds_nothing_to_delete_for_a_minute_was_in_vain(tmp_path: Path) -> None:
    fault = Fault(0, 1.0, Kind.RETENTION, "0", 0.0)
    one, noted = injector(tmp_path, fault)
    noted.delete_windowed = lambda _partition: False
    told: list[bool] = []
    one._told = lambda _fault, begins: told.append(begins)
    one.step(60.9)
    assert not one.healed
    one.step(62.0)
    assert one.healed
    assert not one.fired(fault)
    assert told == [], "what never began does not end"
