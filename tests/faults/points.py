"""Puts the named points into the functions of the roles, from outside.

Nothing of the project knows of it: functions are wrapped where they are looked up. A test per point
holds that the point is where its name says.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from tests.faults.firing import Passages

WORKER = "consumers.training.worker_process"
"""The module that a training role starts as its worker."""
FAULTY_WORKER = ("tests.faults.faulty_role", "worker")

_published: ContextVar[bool] = ContextVar("published", default=False)
"""Whether this task has published what it has not committed."""
_announcing: ContextVar[bool] = ContextVar("announcing", default=False)
"""Whether this task is about to announce a lineage entry."""


def wrap(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    """Put `made(original)` in the place of an attribute."""
    setattr(owner, name, made(getattr(owner, name)))


def into_broker(passages: Passages) -> None:
    """after_publish_before_ack: a commit behind what the same task has published."""
    from consumers.role_kafka import FaustKafka

    def publish_all(original: Any) -> Any:
        async def published(self: Any, records: Sequence[Any]) -> Any:
            if _announcing.get():
                await passages.passed_in_loop("after_commit_before_publish")
            done = await original(self, records)
            _published.set(bool(records))
            return done

        return published

    def commit(original: Any) -> Any:
        async def committed(self: Any, offsets: Any) -> Any:
            if _published.get():
                _published.set(False)
                await passages.passed_in_loop("after_publish_before_ack")
            return await original(self, offsets)

        return committed

    wrap(FaustKafka, "publish_all", publish_all)
    wrap(FaustKafka, "commit", commit)


def into_train(passages: Passages) -> None:
    """after_commit_before_publish: the worker has answered, the role begins to announce.

    The worker is started with the same faults.
    """
    from consumers.training.outlet import Outlet

    def announce(original: Any) -> Any:
        async def announced(self: Any, entry: Any) -> None:
            token = _announcing.set(True)
            try:
                await original(self, entry)
            finally:
                _announcing.reset(token)

        return announced

    def spawn(original: Any) -> Any:
        async def spawned(program: str, *arguments: str, **options: Any) -> Any:
            if (program, *arguments) == (sys.executable, "-m", WORKER):
                arguments = ("-m", *FAULTY_WORKER)
            return await original(program, *arguments, **options)

        return spawned

    wrap(Outlet, "announce", announce)
    wrap(asyncio, "create_subprocess_exec", spawn)


def into_worker(passages: Passages) -> None:
    """after_upload_before_commit and after_commit_before_reply: around the lineage entry."""
    from model.lineage import Lineage

    def commit(original: Any) -> Any:
        def committed(self: Any, entry: Any) -> None:
            passages.passed("after_upload_before_commit")
            original(self, entry)
            passages.passed("after_commit_before_reply")

        return committed

    wrap(Lineage, "commit", commit)


def into_serve(passages: Passages) -> None:
    """during_swap: the follower has a version in hand that is loaded and warm."""
    from model.predictor_loader import PredictorLoader

    def load(original: Any) -> Any:
        def loaded(self: Any, version: Any) -> Any:
            predictor = original(self, version)
            passages.passed("during_swap")
            return predictor

        return loaded

    wrap(PredictorLoader, "load", load)
