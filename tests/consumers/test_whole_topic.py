"""Reading topics to their ends: what is said where that cannot be."""

import pytest

from consumers.publisher import BrokerUnavailableError, MissingTopicError
from consumers.settings import Settings
from consumers.whole_topic import TopicReader


def test_a_broker_that_is_away_is_told_with_the_way_to_name_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 300}
    monkeypatch.setattr("consumers.whole_topic.kafka_python_options", lambda _: options)
    with pytest.raises(BrokerUnavailableError, match=r"no broker answers .*--bootstrap-servers"):
        TopicReader(Settings(bootstrap_servers="127.0.0.1:1"))


def test_a_partition_that_is_not_there_begins_at_0(settings: Settings) -> None:
    with TopicReader(settings) as reader:
        assert reader.begins("nothing", 0) == reader.begins(settings.topic("texts"), 99) == 0


def test_a_topic_that_is_not_there_is_told_with_the_way_to_make_it(settings: Settings) -> None:
    with (
        TopicReader(settings) as reader,
        pytest.raises(MissingTopicError, match="no such topic: nothing; `freshet topics` makes it"),
    ):
        list(reader.records("nothing"))
