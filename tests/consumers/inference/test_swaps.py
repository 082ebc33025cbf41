"""Hundreds of swaps while texts flow: none is lost or out of order, and memory stays."""

import asyncio
import statistics
import sys
from pathlib import Path

import pytest

from model.artifacts import ArtifactStore
from schemas.model_version import ModelVersion
from tests.consumers.inference.stage import P0, P1, Stage, batch_of, play, text_of
from tests.model import tiny_onnx
from tests.model.tiny_onnx import WORDS, expected

SWAPS = 240
TEXTS = 3
"""In each partition at each swap."""
ROWS = 100_000
"""Of the encoders, 1.2 MB each: of so many, a few that stay would show."""
CYCLE = ((0, 0), (0, 1), (2, 0), (2, 2))
"""Turns of encoder and head: every second swap brings another encoder."""


def versions_in(store: ArtifactStore) -> list[ModelVersion]:
    return [
        tiny_onnx.store_version(store, number, encoder_turn=encoder, head_turn=head).model_copy(
            update={
                "encoder": store.put(
                    f"encoders/{encoder}/large.onnx", tiny_onnx.encoder(turn=encoder, rows=ROWS)
                )
            }
        )
        for number, (encoder, head) in enumerate(CYCLE)
    ]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc")
def test_hundreds_of_swaps_lose_no_text_and_leave_memory_as_it_was() -> None:
    resident: list[int] = []

    async def scenario(stage: Stage) -> None:
        versions = versions_in(stage.versions.store)
        for number in range(SWAPS):
            version = versions[number % len(CYCLE)].model_copy(update={"version": number})
            # As a follower does it: in a thread of its own, while texts of before are answered.
            loading = asyncio.create_task(asyncio.to_thread(stage.versions.loader.load, version))
            if number:
                await flow(stage, number - 1)
            stage.versions.serving["colors"] = await loading
            resident.append(resident_bytes())
        await flow(stage, SWAPS - 1)
        await stage.kafka.until_answered(2 * TEXTS * SWAPS)

    async def flow(stage: Stage, number: int) -> None:
        for place in (P0, P1):
            first = number * TEXTS
            words = [WORDS[offset % 3] for offset in range(first, first + TEXTS)]
            await stage.serve.batch(batch_of(place, first, [text_of(word) for word in words]))

    answers = play(scenario).predictions()
    for place in (P0, P1):
        of_one = [one for one in answers if one.id.startswith(f"texts/{place[1]}/")]
        offsets = range(SWAPS * TEXTS)
        assert [one.id for one in of_one] == [f"texts/{place[1]}/{offset}" for offset in offsets]
        assert [one.version for one in of_one] == sorted(one.version for one in of_one)
        for offset, one in zip(offsets, of_one, strict=True):
            turns = sum(CYCLE[one.version % len(CYCLE)])
            assert one.label == expected(WORDS[offset % 3], turns=turns)
    assert len({one.version for one in answers}) > SWAPS // 2
    early, late = (statistics.median(part) for part in (resident[40:60], resident[-20:]))
    assert late < 1.05 * early
