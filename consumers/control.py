"""Reads the commands on `control`: every instance all of them, without a group."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from consumers.broker.clients import METADATA_AGE_MILLISECONDS
from consumers.publisher import BrokerUnavailableError
from consumers.records import utc_of
from consumers.settings import Settings
from consumers.telemetry import get_log
from model.errors import RetryError
from schemas.control import Action, Command
from schemas.topics import CONTROL

RETRY_SECONDS = 1.0


class GivenCommand(NamedTuple):
    """A command, and when the broker appended it (milliseconds since 1970)."""

    command: Command
    given: int

    @property
    def task(self) -> str:
        """Whom it concerns."""
        return self.command.task

    @property
    def given_at(self) -> datetime:
        """When the broker appended it, aware."""
        return utc_of(self.given)


Obey = Callable[[GivenCommand], Awaitable[None]]


class ControlReader:
    """Follows `control` from its beginning, so that a command given while this was down counts.

    A command counts where it was appended first: one that is sent again is passed over.

    Args:
        settings: broker and prefix.
        role: who reads.
        obeys: the actions that concern it; other commands are passed over.
    """

    def __init__(self, settings: Settings, *, role: str, obeys: frozenset[Action]) -> None:
        self._topic = settings.topic(CONTROL.name)
        self._obeys = obeys
        self._log = get_log(role=role)
        self._consumer = AIOKafkaConsumer(
            self._topic,
            bootstrap_servers=settings.bootstrap_servers.split(","),
            client_id=f"{settings.prefix}freshet-{role}-control",
            group_id=None,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            metadata_max_age_ms=METADATA_AGE_MILLISECONDS,
        )
        self._following: asyncio.Task[None] | None = None
        self._read: set[str] = set()

    async def known(self) -> list[GivenCommand]:
        """Connect and read the commands given so far.

        Raises:
            BrokerUnavailableError: the broker does not answer; try again with a new reader.
        """
        try:
            await self._consumer.start()
            places = list(self._consumer.assignment())
            ends = await self._consumer.end_offsets(places)
            commands: list[GivenCommand] = []
            while any([await self._consumer.position(p) < ends[p] for p in places]):
                commands += await self._fetched()
        except KafkaError as error:
            await self._consumer.stop()
            msg = f"cannot read {self._topic}: {error!r}"
            raise BrokerUnavailableError(msg) from error
        return commands

    def follow(self, obey: Obey) -> "asyncio.Task[None]":
        """Hand every further command to `obey`, in order, until `stop`."""
        self._following = asyncio.create_task(self._follow(obey))
        return self._following

    async def stop(self) -> None:
        """Leave the broker."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        # Where the broker is gone, aiokafka lets the end of a task of its own out as ours.
        with suppress(asyncio.CancelledError):
            await self._consumer.stop()

    async def _follow(self, obey: Obey) -> None:
        while True:
            try:
                commands = await self._fetched()
            except KafkaError as error:
                # aiokafka reconnects by itself; the position has not moved.
                await self._delayed(error)
                continue
            for command in commands:
                await self._obeyed(obey, command)

    async def _obeyed(self, obey: Obey, command: GivenCommand) -> None:
        """A command may be obeyed twice, never not at all."""
        while True:
            try:
                await obey(command)
            except RetryError as error:
                await self._delayed(error)
            else:
                return

    async def _delayed(self, error: Exception) -> None:
        self._log.warning("control_delayed", error=repr(error))
        await asyncio.sleep(RETRY_SECONDS)

    async def _fetched(self) -> list[GivenCommand]:
        batches = await self._consumer.getmany(timeout_ms=1000)
        return [
            GivenCommand(command, record.timestamp)
            for records in batches.values()
            for record in records
            if (command := self._decoded(record)) is not None
            and command.action in self._obeys
            and self._is_new(command)
        ]

    def _is_new(self, command: Command) -> bool:
        if command.command_id in self._read:
            return False
        self._read.add(command.command_id)
        return True

    def _decoded(self, record: ConsumerRecord) -> Command | None:
        try:
            command = Command.decode(record.value or b"")
        except ValidationError as error:
            # An action that this release does not know, for one: the next may.
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            detail = f"{record.topic}/{record.partition}/{record.offset}: {where}: {first['msg']}"
            self._log.warning("command_refused", detail=detail)
            return None
        self._log.info(
            "command_read", task=command.task, action=command.action.value, who=command.who
        )
        return command
