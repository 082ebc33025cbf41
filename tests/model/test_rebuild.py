"""A version is rebuilt from the log byte for byte, and what stands in the way has a name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model import precision
from model.data import Record
from model.denied import DenyList
from model.errors import NotFoundError
from model.lineage import Lineage
from model.lineage_entry import LineageEntry
from model.rebuild import RebuildRefusedError, Rebuilt, rebuild
from model.scratch_store import ScratchStore
from schemas.evaluation import Outcome
from tests.model.loop import ALWAYS, NEVER, TASK, Loop, MemoryLog, stream
from tests.model.tiny import DEVICE

RECORDS = stream(300)
FIRST, SECOND, REFRESH, THIRD, ROLLBACK, FOURTH, REFRESHED, FORGOTTEN, ERASED = range(9)
"""Entries of the lineage that is rebuilt."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_folder: Path) -> Loop:
    """A lineage with each kind of version, learned by one warm learner."""
    torch.set_num_threads(1)
    loop = Loop(tmp_path_factory.mktemp("rebuild"), tiny_encoder_folder, gate=ALWAYS)
    loop.learn(RECORDS[:60])
    loop.learn(RECORDS[60:120])
    loop.refresh(RECORDS[:120])
    loop.learn(RECORDS[120:180])
    log = MemoryLog(RECORDS)
    loop.learner.rollback(TASK, SECOND, loop.config, who="me", why="a test", log=log)
    loop.learn(RECORDS[180:240])
    loop.refresh(RECORDS[:240])
    fitted = next(record for record in RECORDS if part_of(loop, record.offset) == "learn")
    denied = DenyList.of_id(fitted.id)
    loop.learner.forget(TASK, denied, loop.config, who="me", why="asked")
    loop.learner.refresh(TASK, "erasure", MemoryLog(RECORDS[:240]), loop.config, erases=True)
    assert [entry.version is not None for entry in entries(loop)] == [True] * 9
    assert loop.lineage.entry(ERASED).fitted_from is not None
    return loop


def entries(loop: Loop) -> list[LineageEntry]:
    return [loop.lineage.entry(sequence) for sequence in loop.lineage.sequences()]


def rebuilt(
    loop: Loop,
    version: int,
    *,
    records: Sequence[Record] = RECORDS,
    deleted_below: int = 0,
    threads: int = 0,
) -> Rebuilt:
    return rebuild(
        loop.store,
        TASK,
        version,
        log=MemoryLog(records, deleted_below=deleted_below),
        cache=loop.templates,
        features=loop.templates / "features-of-a-rebuild",
        device=DEVICE,
        threads=threads,
        progress=lambda stage, /, **_fields: None,
    )


@pytest.mark.parametrize(
    "version",
    [FIRST, SECOND, REFRESH, THIRD, ROLLBACK, FOURTH, REFRESHED, FORGOTTEN, ERASED],
)
def test_a_version_is_rebuilt_byte_for_byte(loop: Loop, version: int) -> None:
    found = rebuilt(loop, version)

    assert found.equal
    assert [(file.name, file.largest) for file in found.files] == [("head", 0.0), ("encoder", 0.0)]
    assert found.outcome == ()
    assert found.environment == ()
    assert found.made.attempt != found.recorded.attempt


@pytest.mark.parametrize("version", [SECOND, REFRESH, ROLLBACK])
def test_a_rebuild_leaves_the_store_as_it_was(loop: Loop, version: int) -> None:
    def held() -> dict[str, bytes]:
        return {path: loop.store.get(path) for path in loop.store.list()}

    before = held()
    rebuilt(loop, version)

    assert held() == before


def test_another_number_of_threads_is_named(loop: Loop) -> None:
    found = rebuilt(loop, SECOND, threads=2)

    assert "threads: 1 then, 2 now" in found.environment
    assert torch.get_num_threads() == 1


def test_a_rebuild_computes_on_as_many_threads_as_then(loop: Loop) -> None:
    torch.set_num_threads(2)

    assert rebuilt(loop, SECOND).environment == ()
    assert torch.get_num_threads() == 2


def test_a_fit_is_rebuilt_in_the_precision_of_then(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = loop.lineage.entry(REFRESH).environment
    assert then is not None
    other = "bfloat16" if then.precision == "float32" else "float32"
    monkeypatch.setattr(precision, "_cpu_multiplies", lambda: True)
    monkeypatch.setattr(precision, "cpu_speedup", lambda: 2.0 if other == "bfloat16" else 0.5)

    found = rebuilt(loop, REFRESH)

    assert found.equal
    assert found.environment == (f"precision: {then.precision} then, {other} now",)


def test_another_record_gives_another_head_and_the_difference_is_told(loop: Loop) -> None:
    learned = next(n for n in range(60, 120) if part_of(loop, n) == "learn")
    other = replace(RECORDS[learned], label=RECORDS[learned + 1].label)
    found = rebuilt(loop, SECOND, records=[*RECORDS[:learned], other, *RECORDS[learned + 1 :]])

    head, encoder = found.files[:2]
    assert not found.equal
    assert encoder.equal
    assert 0.0 < (head.largest or 0.0) < float("inf")
    assert {file.name for file in found.files[2:]} >= {"statistics", "journal"}


def part_of(loop: Loop, offset: int) -> str:
    row = loop.state().journal.get(f"id-{offset}")
    return row.part if row else ""


def test_a_span_with_fewer_records_is_told(loop: Loop) -> None:
    found = rebuilt(loop, SECOND, records=RECORDS[:100])

    assert any(line.startswith("learned: ") for line in found.outcome)


@pytest.mark.parametrize("version", [FIRST, REFRESH])
def test_a_span_that_retention_has_deleted_is_an_error(loop: Loop, version: int) -> None:
    with pytest.raises(RebuildRefusedError, match=f"version {version} of {TASK} cannot .* begins"):
        rebuilt(loop, version, deleted_below=30)


def test_a_refresh_is_rebuilt_from_what_the_log_still_held_then(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    loop.learn(RECORDS[:60])
    loop.learn(RECORDS[60:120])
    entry = loop.refresh(RECORDS[:120], deleted_below=30)
    assert [span.start for span in entry.refresh_lost] == [0]

    assert rebuilt(loop, 2, deleted_below=30).equal


def test_a_parent_whose_files_are_gone_is_an_error(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    files = loop.learn(RECORDS[:60]).files
    loop.learn(RECORDS[60:120])
    assert files is not None
    loop.store.delete(files.statistics.path)

    with pytest.raises(RebuildRefusedError, match="after entry 0, from which it was made, is not"):
        rebuilt(loop, 1)


def test_what_is_no_version_is_an_error(tmp_path: Path, tiny_encoder_folder: Path) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=NEVER)
    loop.learn(RECORDS[:60])
    rejected = loop.learn(RECORDS[60:120])
    assert rejected.outcome is Outcome.REJECTED

    with pytest.raises(RebuildRefusedError, match="is no version: it was rejected"):
        rebuilt(loop, 1)
    with pytest.raises(RebuildRefusedError, match="has no version 7"):
        rebuilt(loop, 7)


def test_an_entry_of_an_earlier_release_names_no_environment(
    tmp_path: Path, tiny_encoder_folder: Path
) -> None:
    loop = Loop(tmp_path, tiny_encoder_folder, gate=ALWAYS)
    entry = loop.learn(RECORDS[:60])
    raw = entry.model_copy(update={"environment": None}).model_dump_json(exclude={"environment"})
    loop.store.put(loop.lineage.path_of(0), raw.encode())

    found = rebuilt(loop, 0)
    assert found.equal
    assert found.environment == ("the entry does not say in what environment it was made",)


def test_a_scratch_store_hides_and_shadows_and_never_writes_below(loop: Loop) -> None:
    hidden = loop.lineage.path_of(ERASED)
    scratch = ScratchStore(loop.store, hidden=[hidden])
    before = loop.store.list()

    assert Lineage(scratch, TASK).sequences() == list(range(8))
    with pytest.raises(NotFoundError):
        scratch.get(hidden)
    made = scratch.create(hidden, b"another")
    assert scratch.fetch(made) == scratch.get(hidden) == b"another"
    scratch.delete("tasks")
    assert scratch.list("tasks") == []
    assert loop.store.list() == before
