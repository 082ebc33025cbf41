"""Three nodes: one may die, leaders may move, and the stream and its learning go on."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from schemas.topics import LABELED_TEXTS, TRAINING_WINDOWS
from tests.conftest import needs_local_kafka
from tests.faults.cluster import LocalCluster
from tests.integration.conftest import Install
from tests.integration.installation import encoded
from tests.integration.test_restarts import check_books
from tests.integration.texts import TASK, labeled, questions

pytestmark = [pytest.mark.broker, pytest.mark.long]

WINDOW = 40


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    needs_local_kafka()
    with LocalCluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def make_topic(cluster: LocalCluster, name: str) -> TopicPartition:
    admin: Any = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers.split(","))
    admin.create_topics([NewTopic(name, 1, 3)], wait_for_metadata=True)
    admin.close()
    return TopicPartition(name, 0)


def all_values(cluster: LocalCluster, place: TopicPartition) -> list[bytes]:
    consumer: Any = KafkaConsumer(bootstrap_servers=cluster.bootstrap_servers.split(","))
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    [end] = consumer.end_offsets([place]).values()
    values: list[bytes] = []
    while consumer.position(place) < end:
        values += [r.value for r in consumer.poll(timeout_ms=1000).get(place, ())]
    consumer.close()
    return values


def test_what_was_acknowledged_survives_the_death_of_a_leader_and_a_change_of_leaders(
    cluster: LocalCluster,
) -> None:
    place = make_topic(cluster, "stream")
    producer: Any = KafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers.split(","), acks="all"
    )
    numbers = itertools.count()

    def send(count: int) -> list[Any]:
        return [producer.send("stream", str(next(numbers)).encode()) for _ in range(count)]

    sent = send(200)
    dead = cluster.leader_of(place)
    cluster.kill_node(dead)
    sent += send(200)
    producer.flush(timeout=60)
    assert cluster.leader_of(place) not in {dead, -1}
    cluster.start_node(dead)
    cluster.await_whole()
    sent += send(100)
    before = cluster.leader_of(place)
    assert cluster.move_leader(place) != before
    sent += send(100)
    producer.flush(timeout=60)
    producer.close()
    assert [future.get(30).offset for future in sent] == list(range(600))
    assert all_values(cluster, place) == [str(number).encode() for number in range(600)]


def test_roles_go_on_while_a_node_is_dead_and_after_every_leader_has_moved(
    cluster: LocalCluster, install: Install
) -> None:
    here = install(
        records=WINDOW, bootstrap_servers=cluster.bootstrap_servers, replication_factor=3
    )
    texts = TopicPartition(here.settings.topic(LABELED_TEXTS.name), 0)
    with here.roles("windows", "train", "serve"):
        here.write(encoded(labeled(WINDOW)))
        here.until(lambda: bool(here.versions()))
        here.await_serve()

        dead = cluster.leader_of(texts)
        cluster.kill_node(dead)
        here.write(encoded(labeled(WINDOW, start=WINDOW)))
        here.ask(questions(20))
        here.until(lambda: here.labels_learned(TASK) == 2 * WINDOW)
        here.until(lambda: len(here.predictions()) == 20)

        cluster.start_node(dead)
        cluster.await_whole()
        offsets = [TopicPartition("__consumer_offsets", number) for number in range(4)]
        windows = TopicPartition(here.settings.topic(TRAINING_WINDOWS.name), 0)
        for place in (texts, windows, *offsets):
            cluster.move_leader(place)
        here.write(encoded(labeled(WINDOW, start=2 * WINDOW)))
        here.ask(questions(20, start=20))
        here.until(lambda: here.labels_learned(TASK) == 3 * WINDOW)
        here.until(lambda: len(here.predictions()) == 40)
    check_books(here, records=3 * WINDOW)
    here.close()
