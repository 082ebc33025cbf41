"""What a follower must not serve: each is refused with a reason, and the old version serves on."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from consumers.inference.events import VersionRefused
from consumers.inference.follower import Follower
from consumers.settings import Settings
from model.artifacts import ArtifactStore
from schemas.model_version import Artifact, ModelVersion
from tests.consumers.inference.conftest import Events, Publisher
from tests.model import tiny_onnx
from tests.model.tiny_onnx import expected

MAX_BYTES, MAX_TOKENIZER_BYTES = 50_000, 5_000


class Stand:
    """A follower that serves version 1, and a way to announce what it must refuse."""

    def __init__(self, publisher: Publisher, follower: Follower, events: Events) -> None:
        self.publisher, self.store = publisher, publisher.store
        self._follower, self._events = follower, events
        self._held = follower.current("colors", timeout=20)

    def refusal_of(self, value: bytes | ModelVersion, *, key: str = "colors") -> str:
        """Announce it; the reason of its refusal. Version 1 still answers, and a later one is
        served."""
        raw = value if isinstance(value, bytes) else value.encode()
        self.publisher.send(key, raw)
        refused = self._events.wait(VersionRefused)
        assert self._follower.current("colors") is self._held
        assert self._held.predict(["gamma"])[0].label == expected("gamma", turns=0)
        self.publisher.announce(3, head_turn=2)
        assert self._events.wait_for_version(3).previous == 1
        return refused.reason


@pytest.fixture
def stand(
    memory_settings: Settings, publisher_of: Callable[[Settings], Publisher]
) -> Iterator[Stand]:
    settings = memory_settings.model_copy(
        update={"max_artifact_bytes": MAX_BYTES, "max_tokenizer_bytes": MAX_TOKENIZER_BYTES}
    )
    publisher, events = publisher_of(settings), Events()
    publisher.announce(1)
    with Follower.from_settings(settings, on_event=events) as follower:
        yield Stand(publisher, follower, events)


def version_with(store: ArtifactStore, part: str, data: bytes) -> ModelVersion:
    """Version 2 with one file replaced, as whoever wrote it proves it."""
    held = tiny_onnx.store_version(store, 2, head_turn=1)
    return held.model_copy(update={part: store.put(f"encoders/9/{part}", data)})


def replaced(version: ModelVersion, **fields: object) -> bytes:
    """The announcement with fields that no writer of ours could give it."""
    return json.dumps({**json.loads(version.encode()), **fields}).encode()


@pytest.mark.parametrize("part", ["encoder", "tokenizer", "head"])
@pytest.mark.parametrize(("damage", "reason"), [("tampered", "SHA-256"), ("cut", "bytes, not")])
def test_a_damaged_file_of_any_part(stand: Stand, part: str, damage: str, reason: str) -> None:
    version = tiny_onnx.store_version(stand.store, 2, encoder_turn=2, head_turn=1)
    if part == "tokenizer":  # that of version 1 is the same
        version = version_with(stand.store, "tokenizer", tiny_onnx.tokenizer() + b" ")
    artifact: Artifact = getattr(version, part)
    data = stand.store.get(artifact.path)
    changed = data[:-1] + bytes([data[-1] ^ 1]) if damage == "tampered" else data[:-1]
    stand.store.put(artifact.path, changed)

    assert reason in stand.refusal_of(version)


@pytest.mark.parametrize("part", ["encoder", "tokenizer", "head"])
def test_a_file_that_is_what_it_says_and_no_model(stand: Stand, part: str) -> None:
    reason = stand.refusal_of(version_with(stand.store, part, b"no model \xff"))

    assert f"{part}: " in reason
    assert "cannot" in reason


def test_a_head_that_scores_other_labels(stand: Stand) -> None:
    four = version_with(stand.store, "head", tiny_onnx.head(num_labels=4))

    assert "4 classes, but the version has 3 labels" in stand.refusal_of(four)


@pytest.mark.parametrize("part", ["encoder", "head"])
def test_a_graph_over_the_limit(stand: Stand, part: str) -> None:
    whole = tiny_onnx.encoder() if part == "encoder" else tiny_onnx.head()
    graph = ModelProto.FromString(whole)
    graph.doc_string = "x" * MAX_BYTES
    reason = stand.refusal_of(version_with(stand.store, part, graph.SerializeToString()))

    assert f"over the limit of {MAX_BYTES}" in reason


def test_a_tokenizer_over_the_limit(stand: Stand) -> None:
    padded = tiny_onnx.tokenizer() + b" " * MAX_TOKENIZER_BYTES

    reason = stand.refusal_of(version_with(stand.store, "tokenizer", padded))
    assert f"over the limit of {MAX_TOKENIZER_BYTES}" in reason


def test_a_graph_that_wants_more_memory_than_there_is(stand: Stand) -> None:
    size = numpy_helper.from_array(np.array([10**13]), "size")
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["all"]),
        helper.make_node("ReduceSum", ["all"], ["sum"], keepdims=0),
        helper.make_node("Add", ["features", "sum"], ["scores"]),
    ]
    head = version_with(stand.store, "head", _head(nodes, [size]))

    assert "bad_alloc" in stand.refusal_of(head)


@pytest.mark.parametrize("location", ["/etc/hostname", "../../secret", "weights"])
def test_a_graph_whose_weights_lie_in_another_file(stand: Stand, location: str) -> None:
    weight = TensorProto(
        name="weight", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    nodes = [helper.make_node("Add", ["features", "weight"], ["scores"])]
    head = version_with(stand.store, "head", _head(nodes, [weight]))

    assert "onnxruntime cannot load it" in stand.refusal_of(head)


def _head(nodes: Sequence[NodeProto], initializers: list[TensorProto]) -> bytes:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
        for name in ("features", "scores")
    ]
    graph = helper.make_graph(nodes, "head", values[:1], values[1:], initializers)
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=9)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "tasks/../../outside",
        "tasks/colors/..",
        "/etc/passwd",
        "//host/share",
        "C:\\windows",
        "file:///etc/passwd",
        "tasks/.hidden",
        "tasks//head.onnx",
        "tasks/head.onnx/",
        "tasks/head.onnx\n",
        "tasks/head\x00.onnx",
        "tasks/he\u202ead.onnx",
        "tasks\uff0fhead.onnx",
        "tasks/\uff0e\uff0e/head.onnx",
        "tasks/head%2e%2e.onnx",
        "",
    ],
)
def test_a_path_that_is_none_of_a_store(stand: Stand, path: str) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    head = {**version.head.model_dump(), "path": path}

    assert "head.path: " in stand.refusal_of(replaced(version, head=head))


def test_a_link_that_leads_out_of_the_store(stand: Stand, tmp_path: Path) -> None:
    """Also where what lies there has the right bytes."""
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    inside, outside = Path(stand.store.uri) / version.head.path, tmp_path / "outside.onnx"
    inside.rename(outside)
    inside.symlink_to(outside)

    assert f"it leads to {outside}" in stand.refusal_of(version)


def test_a_folder_behind_a_link_that_leads_out_of_the_store(stand: Stand, tmp_path: Path) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    inside, outside = (Path(stand.store.uri) / version.head.path).parent, tmp_path / "outside"
    inside.rename(outside)
    inside.symlink_to(outside)

    assert f"it leads to {outside}" in stand.refusal_of(version)


def test_a_link_to_itself(stand: Stand) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    inside = Path(stand.store.uri) / version.head.path
    inside.unlink()
    inside.symlink_to(inside)

    assert "no plain file" in stand.refusal_of(version)


def test_a_pipe_in_the_place_of_a_file(stand: Stand) -> None:
    """Whoever opened it would wait for ever."""
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    inside = Path(stand.store.uri) / version.head.path
    inside.unlink()
    os.mkfifo(inside)

    assert "no plain file" in stand.refusal_of(version)


def test_a_folder_in_the_place_of_a_file(stand: Stand) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    inside = Path(stand.store.uri) / version.head.path
    inside.unlink()
    inside.mkdir()

    assert "no plain file" in stand.refusal_of(version)


@pytest.mark.parametrize(
    "task", ["../colors", "colors/../../x", "Colors", "co\u202elors", "", "c" * 101, "colors\n"]
)
def test_a_key_and_task_that_name_no_task(stand: Stand, task: str) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)

    assert "is no name of a task" in stand.refusal_of(replaced(version, task=task), key=task)


def test_a_task_that_names_no_task_under_the_key_of_one_that_does(stand: Stand) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)

    assert "task: " in stand.refusal_of(replaced(version, task="../colors"))


def test_a_thousand_faults_are_told_in_a_line(stand: Stand) -> None:
    version = tiny_onnx.store_version(stand.store, 2, head_turn=1)
    reason = stand.refusal_of(replaced(version, labels=["\n" * 500 + "x\ny"] * 1000))

    assert "\n" not in reason
    assert len(reason) < 500


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"\xff\xfe", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_is_no_json_object(stand: Stand, raw: bytes) -> None:
    assert "it is no announcement of a version" in stand.refusal_of(raw)
