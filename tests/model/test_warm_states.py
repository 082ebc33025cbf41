"""States are kept warm as long as nobody else has moved the tip, for the tasks used last."""

from pathlib import Path

import pytest

from model.warm_states import MOST_WARM_TASKS, WarmStates
from tests.model.loop import TASK, Loop, stream


@pytest.fixture
def loop(tmp_path: Path, tiny_encoder_folder: Path) -> Loop:
    return Loop(tmp_path, tiny_encoder_folder)


@pytest.fixture
def warm(loop: Loop) -> WarmStates:
    return WarmStates(loop.store, device="cpu", progress=lambda *_, **__: None)


def test_a_state_stays_until_another_worker_has_moved_the_tip(loop: Loop, warm: WarmStates) -> None:
    loop.learn(stream(60))
    held = warm.state(TASK, loop.config)
    assert warm.state(TASK, loop.config) is held

    second = loop.learn(stream(60, start=60))

    assert warm.state(TASK, loop.config).tip == second


def test_the_tasks_used_last_stay_warm(loop: Loop, warm: WarmStates) -> None:
    first, second, *others = (f"task-{number}" for number in range(MOST_WARM_TASKS + 1))
    states = {task: warm.state(task, loop.config) for task in (first, second, *others[:-1])}
    warm.state(first, loop.config)
    warm.state(others[-1], loop.config)

    assert warm.state(first, loop.config) is states[first]
    assert warm.state(second, loop.config) is not states[second]


def test_tasks_with_the_same_encoder_share_it(loop: Loop, warm: WarmStates) -> None:
    entry = loop.learn(stream(60))
    assert entry.encoder is not None

    fresh = warm.state("another", loop.config).encoder

    assert fresh is warm.base_model(loop.config.encoder)
    assert warm.stored_encoder(entry.encoder, loop.config) is fresh
