"""What the store says of a task."""

from pathlib import Path

from consumers.status.lineages import lineage_of
from tests.model.forgetting import OBLIGING, a_learned, asked
from tests.model.loop import TASK, Loop, MemoryLog, stream
from tests.model.tiny import write_tiny_encoder


def test_an_encoder_that_was_tuned_on_what_is_denied_is_told_until_it_is_refitted(
    tmp_path: Path,
) -> None:
    loop = Loop(tmp_path, write_tiny_encoder(tmp_path / "encoder"), **OBLIGING)
    records = stream(120)
    loop.learn(records[:60])
    record = a_learned(loop, records)
    loop.refresh(records)
    loop.learn(records[60:])

    def told() -> bool:
        return lineage_of(loop.store, TASK)[0].forgotten_in_encoder

    assert not told()
    asked(loop, record.id)
    assert told()
    loop.learner.refresh(TASK, "erasure", MemoryLog(records), loop.config, erases=True)
    assert not told()
