"""The role `freshet topics`, against a real broker."""

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from typer.testing import CliRunner

from consumers.__main__ import app
from consumers.broker import kafka_python_options
from consumers.settings import Settings
from consumers.topics_admin import Difference, TopicsReport, configs_of, ensure_topics, run
from model.errors import RetryError
from schemas.topics import CONTROL, LABELED_TEXTS, MODEL_VERSIONS, REDRIVEN, TEXTS, TOPICS


@pytest.fixture
def fresh(settings: Settings) -> Settings:
    """Settings whose topics are not there yet."""
    return settings.model_copy(update={"prefix": f"{settings.prefix}new-"})


def create(settings: Settings, name: str, partitions: int, **configs: str) -> None:
    admin = KafkaAdminClient(**kafka_python_options(settings))
    admin.create_topics(
        [NewTopic(settings.topic(name), partitions, 1, topic_configs=configs)],
        wait_for_metadata=True,
    )
    admin.close()


def on_broker(settings: Settings, name: str) -> tuple[int, dict[str, str]]:
    admin = KafkaAdminClient(**kafka_python_options(settings))
    topic = settings.topic(name)
    (described,) = admin.describe_topics([topic])
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    admin.close()
    return len(described["partitions"]), {key: one["value"] for key, one in configs.items()}


def test_every_topic_of_the_table_is_created_as_the_table_says(fresh: Settings) -> None:
    report = ensure_topics(fresh)
    assert set(report.created) == {fresh.topic(topic.name) for topic in TOPICS}
    for topic in TOPICS:
        partitions, configs = on_broker(fresh, topic.name)
        assert partitions == (1 if topic in {MODEL_VERSIONS, CONTROL, REDRIVEN} else 2)
        assert configs_of(topic, fresh).items() <= configs.items()


def test_a_second_run_changes_nothing_and_says_so(settings: Settings) -> None:
    report = ensure_topics(settings)
    assert report == TopicsReport(unchanged=tuple(settings.topic(one.name) for one in TOPICS))
    assert run(settings) == 0


def test_versions_that_are_not_compacted_fail_the_role(
    fresh: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    create(fresh, "model-versions", 1)
    assert run(fresh) == 1
    said = capsys.readouterr().out
    name = fresh.topic("model-versions")
    assert f"differs    {name}: cleanup.policy is delete, must be compact" in said
    assert on_broker(fresh, "model-versions")[1]["cleanup.policy"] == "delete"


def test_labeled_texts_that_retention_would_delete_fail_the_role(fresh: Settings) -> None:
    kept = configs_of(LABELED_TEXTS, fresh) | {"retention.ms": "604800000"}
    create(fresh, "labeled-texts", 2, **kept)
    report = ensure_topics(fresh, [LABELED_TEXTS])
    name = fresh.topic("labeled-texts")
    assert report.differs == (Difference(name, "retention.ms", "604800000", "-1", breaks=True),)
    assert not report.ok


def test_other_partitions_and_a_shorter_finite_retention_are_told_but_are_a_choice(
    fresh: Settings,
) -> None:
    create(fresh, "texts", 5, **configs_of(TEXTS, fresh) | {"retention.ms": "3600000"})
    report = ensure_topics(fresh, [TEXTS])
    assert [(one.what, one.found, one.wanted) for one in report.differs] == [
        ("partitions", "5", "2"),
        ("retention.ms", "3600000", "604800000"),
    ]
    assert report.ok
    assert "partitions is 5, should be 2" in str(report)


def test_of_three_copies_two_must_have_a_record_before_it_is_acknowledged() -> None:
    for copies, in_sync in ((1, None), (2, None), (3, "2"), (5, "2")):
        configs = configs_of(LABELED_TEXTS, Settings(replication_factor=copies))
        assert configs.get("min.insync.replicas") == in_sync


def test_a_mock_broker_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Settings(memory_broker=True)) == 0
    assert capsys.readouterr().out.startswith("skipped ")


def test_a_broker_that_does_not_answer_is_a_fault_to_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 300}
    monkeypatch.setattr("consumers.topics_admin.kafka_python_options", lambda _: options)
    with pytest.raises(RetryError, match=r"no broker answers at 127\.0\.0\.1:1"):
        ensure_topics(Settings(bootstrap_servers="127.0.0.1:1"))
    done = CliRunner().invoke(app, ["topics", "--bootstrap-servers", "127.0.0.1:1"])
    assert done.exit_code == 1
    [line] = done.output.splitlines()  # and none of what the client logs
    assert line.startswith("freshet: no broker answers at 127.0.0.1:1 ")
