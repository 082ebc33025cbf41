"""What several tests of commands need."""

import pytest

from tests.consumers.redriving import Producer


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    """What a redrive sends goes here."""
    made = Producer()
    monkeypatch.setattr("consumers.redrive.KafkaProducer", lambda **_: made)
    return made
