"""Texts that flow at an even rate, the answers that come back, and what became of each."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.broker import kafka_python_options
from consumers.demo.headlines import TASK
from consumers.settings import Settings
from schemas.labeled_text import TextToClassify
from schemas.model_version import ModelVersion
from schemas.prediction import Prediction
from schemas.topics import MODEL_VERSIONS, PREDICTIONS, TEXTS, TEXTS_DEAD

PROBE = "probe"
KEYS = (b"even", b"odd")
"""Of the texts, one for each partition: what has one key is to come back in its order."""


class Flow:
    """Sends a text every `1 / rate` seconds, on a thread of its own, from a pool in turn.

    The id of a text is its number; its key and its partition are those of the number's parity.
    """

    def __init__(self, settings: Settings, *, texts: Sequence[str], rate: float) -> None:
        self._texts, self._rate = texts, rate
        self._topic = settings.topic(TEXTS.name)
        self._versions = settings.topic(MODEL_VERSIONS.name)
        self._producer: Any = KafkaProducer(**kafka_python_options(settings), acks="all")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, name="flow", daemon=True)
        self.sent_at: list[float] = []
        """By number, seconds since 1970."""

    def probe(self) -> None:
        """Send a text to each partition that is not counted.

        A new group answers what comes after its start: what counts is sent once a probe came back.
        """
        for parity, key in enumerate(KEYS):
            text = TextToClassify(id=PROBE, task=TASK, text=self.text(0))
            self._producer.send(self._topic, text.encode(), key=key, partition=parity)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what was sent is on the broker."""
        self._stop.set()
        self._thread.join()
        self._producer.flush(timeout=60)

    def close(self) -> None:
        """Leave the broker."""
        self._producer.close(timeout=5)

    def text(self, number: int) -> str:
        """The text that has this number."""
        return self._texts[number % len(self._texts)]

    def announce(self, version: ModelVersion) -> float:
        """Announce a version; when the broker had it, in seconds since 1970."""
        sent = self._producer.send(self._versions, version.encode(), key=version.task.encode())
        sent.get(timeout=60)
        return time.time()

    def _send(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            number = len(self.sent_at)
            self._stop.wait(max(0.0, began + number / self._rate - time.monotonic()))
            text = TextToClassify(id=str(number), task=TASK, text=self.text(number))
            self.sent_at.append(time.time())
            parity = number % len(KEYS)
            self._producer.send(self._topic, text.encode(), key=KEYS[parity], partition=parity)


class Answers:
    """Every prediction, in the order in which each key's were written."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: Any = KafkaConsumer(
            **kafka_python_options(settings), group_id=None, enable_auto_commit=False
        )
        names = [settings.topic(topic.name) for topic in (PREDICTIONS, TEXTS_DEAD)]
        places = [
            TopicPartition(name, number) for name in names for number in range(settings.partitions)
        ]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._dead_topic = names[1]
        self.of_key: dict[bytes, list[Prediction]] = {key: [] for key in KEYS}
        self.dead = 0
        self.probed: set[bytes] = set()
        """Keys of the probes that came back."""

    def read(self, *, seconds: float = 0.1) -> list[Prediction]:
        """What came since; waits for something up to so long."""
        found = []
        for place, records in self._consumer.poll(timeout_ms=int(seconds * 1000)).items():
            if place.topic == self._dead_topic:
                self.dead += len(records)
                continue
            for record in records:
                answer = Prediction.decode(record.value)
                if answer.id == PROBE:
                    self.probed.add(record.key)
                    continue
                self.of_key[record.key].append(answer)
                found.append(answer)
        return found

    @property
    def count(self) -> int:
        """Answers so far."""
        return sum(map(len, self.of_key.values()))

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close(autocommit=False)
