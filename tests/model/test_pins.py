"""A round and a prune that know nothing of each other never delete what the round names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model import prune as pruning
from model.artifacts import ArtifactStore
from model.errors import CondemnedError
from model.lineage import encoder_folder
from model.pins import CONDEMNED, condemn, pin
from tests.model.pruned import ATTEMPTS, pruned, servable
from tests.model.written import Written


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path))


@pytest.mark.parametrize("first", ["the round", "the prune"])
def test_a_round_that_names_an_encoder_again_and_a_prune_of_it_cannot_both_go_on(
    first: str, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round has its say before the prune writes its list, or after."""
    Written(store).rounds(1)
    folder = encoder_folder("f" * 64)
    store.put(f"{folder}/encoder.onnx", b"of a fit that came out the same again")
    said: list[str] = []

    def round_says() -> str:
        try:
            pin(store, f"{ATTEMPTS}/00000001-a", [folder])
        except CondemnedError:
            return "later"
        return "mine"

    def condemned(store: ArtifactStore, *given: Any, **more: Any) -> str:
        said.extend([round_says()] if first == "the round" else [])
        listed = condemn(store, *given, **more)
        said.extend([round_says()] if first == "the prune" else [])
        return listed

    monkeypatch.setattr(pruning, "condemn", condemned)
    done = pruned(store)

    assert said == ["mine" if first == "the round" else "later"]
    assert done.deleted == ()
    assert store.holds(f"{folder}/encoder.onnx")


def test_a_version_that_a_rollback_has_pinned_stays(store: ArtifactStore) -> None:
    written = Written(store, horizon=1, stays=1).rounds(6)
    old = written.lineage.entry(1).version
    assert old is not None
    pin(store, f"{ATTEMPTS}/00000006-a", [old.head.path])

    pruned(store)

    assert servable(written) == [1, 4, 5], "4 answers beside what serves"


def test_the_pins_of_an_attempt_that_lost_its_race_hold_nothing(store: ArtifactStore) -> None:
    Written(store).rounds(1)
    folder = encoder_folder("f" * 64)
    store.put(f"{folder}/encoder.onnx", b"of a round that came second")
    pin(store, f"{ATTEMPTS}/00000000-lost", [folder])

    pruned(store)

    assert not store.holds(f"{folder}/encoder.onnx")


def test_a_list_left_by_a_prune_that_died_blocks_only_for_a_while(store: ArtifactStore) -> None:
    Written(store).rounds(1)
    condemn(store, "dead", [encoder_folder("f" * 64)], now=datetime.now(UTC))
    attempt = f"{ATTEMPTS}/00000001-a"

    with pytest.raises(CondemnedError, match="is being pruned"):
        pin(store, attempt, [encoder_folder("f" * 64)])
    pin(store, attempt, [encoder_folder("e" * 64)])
    pruned(store, later=timedelta(minutes=16))
    pin(store, attempt, [encoder_folder("f" * 64)])


def test_where_nobody_prunes_any_more_such_a_list_blocks_nobody_either(
    store: ArtifactStore,
) -> None:
    folder = encoder_folder("f" * 64)
    condemn(store, "dead", [folder], now=datetime.now(UTC) - timedelta(minutes=16))

    pin(store, f"{ATTEMPTS}/00000001-a", [folder])


def test_a_prune_that_slept_until_its_list_was_taken_away_deletes_no_more(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Written(store, horizon=2).rounds(12)
    remove, doomed = store.remove, len(pruned(store, dry_run=True).doomed)

    def slept(path: str) -> None:
        remove(path)
        for listed in store.list(CONDEMNED):  # meanwhile a round has found it stale
            remove(listed)

    monkeypatch.setattr(store, "remove", slept)

    assert len(pruned(store).deleted) == 1 < doomed
