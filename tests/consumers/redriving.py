"""A producer that redriven records go to in tests, and what it took."""

from types import SimpleNamespace
from typing import Any

from kafka.errors import KafkaTimeoutError

from consumers.dead_letter_log import DeadLetterLog, Selection
from consumers.redrive import Redriver, RedriveReport
from consumers.settings import Settings
from schemas.redriven import Redriven


class Producer:
    """Notes what is sent and awaited; `faults` by value, `refused` by value or topic."""

    def __init__(self, *, topics: tuple[str, ...] = ("labeled-texts", "redriven")) -> None:
        self.story: list[tuple[str, Any]] = []
        self.sent: list[SimpleNamespace] = []
        self.faults: dict[bytes, BaseException] = {}
        self.refused: set[bytes | str] = set()
        self._topics = topics

    def partitions_for(self, topic: str) -> set[int]:
        if topic not in self._topics:  # what the client does, after it has waited
            raise KafkaTimeoutError("no metadata")
        return {0}

    def send(self, topic: str, **fields: Any) -> Any:
        record = SimpleNamespace(topic=topic, **fields)
        if record.value in self.refused or topic in self.refused:
            raise KafkaTimeoutError("no room in the buffer")
        self.sent.append(record)
        self.story.append(("sent", topic))

        def get(timeout: float) -> Any:
            assert timeout > 0
            self.story.append(("awaited", topic))
            if record.value in self.faults:
                raise self.faults[record.value]
            return SimpleNamespace(topic=topic, partition=0, offset=100 + len(self.sent))

        return SimpleNamespace(get=get)

    def close(self, **_: Any) -> None:
        self.story.append(("closed", ""))


def marks(producer: Producer) -> list[str]:
    sent = [record for record in producer.sent if record.topic == "redriven"]
    assert [record.key.decode() for record in sent] == [
        Redriven.decode(record.value).origin for record in sent
    ]
    return [record.key.decode() for record in sent]


def redriven(log: DeadLetterLog) -> RedriveReport:
    with Redriver(Settings(), log, who="ada") as redriver:
        return redriver.redrive(log.headings(Selection()))
