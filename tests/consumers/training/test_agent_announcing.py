"""In which order the training role announces entries."""

from types import SimpleNamespace
from typing import Any

import pytest

from consumers.training.agent import TrainingHandler
from consumers.training.messages import (
    Learn,
    Tip,
)
from consumers.training.outlet import Outlet
from tests.consumers.training.scene import (
    DONE,
    PLACE,
    Play,
    Worker,
    batch,
)


def committed(sequence: int) -> Any:
    entry = SimpleNamespace(task="prices", sequence=sequence)
    return DONE.model_copy(update={"entry": entry})


def test_the_round_behind_a_command_is_announced_before_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    async def announce(_: Any, entry: Any) -> None:
        sent.append(entry.sequence)

    monkeypatch.setattr(Outlet, "announce", announce)
    both = committed(4).model_copy(update={"before": (committed(3).entry,)})
    worker = Worker(replies={Tip: both})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await broker.wrote.wait()

    play(worker, scene)
    assert sent == [3, 4]


@pytest.mark.parametrize(("tip", "announced"), [(4, [3, 4]), (3, [3])])
def test_what_a_command_wrote_behind_our_entry_is_announced_last(
    play: Play, monkeypatch: pytest.MonkeyPatch, tip: int, announced: list[int]
) -> None:
    sent: list[int] = []

    async def announce(_: Any, entry: Any) -> None:
        sent.append(entry.sequence)

    monkeypatch.setattr(Outlet, "announce", announce)
    worker = Worker(replies={Learn: committed(3), Tip: [DONE, committed(tip)]})

    async def scene(handler: TrainingHandler, broker: Any) -> None:
        await handler.batch(batch(0))
        await broker.wrote.wait()

    assert play(worker, scene).committed == [{PLACE: 1}]
    assert sent == announced
