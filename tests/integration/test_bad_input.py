"""What bad input gets: the rows of the table, on the whole path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.evaluation import Outcome
from schemas.labeled_text import LabeledText
from schemas.topics import LABELED_TEXTS, MODEL_VERSIONS, TRAINING_WINDOWS
from tests.integration.books import in_the_log, read_books
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.texts import TASK, labeled, questions

WINDOW = 40
TWICE, ALONE, TINY, AWAY, MANY = "twice", "alone", "tiny", "away", "many"


@pytest.fixture(scope="module")
def learning(install: Install) -> Iterator[Installation]:
    """Roles at work, for the tests whose tasks do not meddle with each other."""
    tasks = {**dict.fromkeys((TASK, TWICE, ALONE, TINY, AWAY)), MANY: {"max_labels": 3}}
    here = install(records=WINDOW, strict_tasks=True, tasks=tasks, max_text_chars=300)
    with here.roles("windows", "train"):
        yield here


def test_bad_records_are_dead_letters_with_reason_and_origin_and_the_window_goes_on(
    learning: Installation,
) -> None:
    here = learning
    good = encoded(labeled(WINDOW))
    bad = {
        "invalid_json": b"{not JSON",
        "invalid_schema": b'{"task": "prices", "text": "no label"}',
        "empty_text": LabeledText.model_construct(task=TASK, text="  ", label="up").encode(),
        "text_too_long": LabeledText(task=TASK, text="a" * 301, label="up").encode(),
        "unknown_task": LabeledText(task="nobody", text="sales rose", label="up").encode(),
    }
    values = [*good[:10], *bad.values(), *good[10:]]
    offsets = here.write(values)
    here.until(lambda: here.labels_learned(TASK) == WINDOW)
    here.read_on()
    letters = {
        place: letter
        for place, letter in here.dead_letters().items()
        if letter.reason != "too_many_labels"
    }
    assert {offset: d.reason for (_, offset), d in letters.items()} == dict(
        zip(offsets[10:15], bad, strict=True)
    )
    for (partition, offset), letter in letters.items():
        assert (letter.topic, partition) == (here.settings.topic(LABELED_TEXTS.name), 0)
        assert letter.value == values[offset - offsets[0]]
        assert letter.detail
    [window] = [window for window in here.windows() if window.task == TASK]
    assert window.num_records == WINDOW
    log = [r for r in here.records["labeled-texts"] if (r.partition, r.offset) not in letters]
    books = read_books(Path(here.settings.store), TASK, log)
    assert len(books.taken) == WINDOW
    assert len(values) == books.sums["learned"] + books.sums["held_out"] + len(letters)


def test_a_flood_of_bad_records_stops_the_role_before_it_drains_the_topic(
    install: Install,
) -> None:
    here = install(records=WINDOW, flood_records=20, flood_ratio=0.5)
    here.write([*encoded(labeled(5)), *[b"{broken"] * 200])
    with here.roles() as group:
        role = group.start("windows")
        assert role.wait(timeout_seconds=60) == 1
        assert "flood_ratio" in role.last_lines()
    here.read_on()
    assert len(here.dead_letters()) <= 20


def test_records_of_labels_beyond_the_limit_are_dead_letters_and_the_books_add_up(
    learning: Installation,
) -> None:
    here = learning
    texts = labeled(WINDOW, task=MANY)
    odd = range(5, WINDOW, 7)
    for number in odd:
        texts[number] = texts[number].model_copy(update={"label": f"odd {number}"})
    offsets = here.write(encoded(texts))
    here.until(lambda: here.labels_learned(MANY) == WINDOW - len(odd))
    here.until(lambda: len(_refused(here)) == len(odd))
    assert _refused(here) == {(0, offsets[number]) for number in odd}
    books = read_books(Path(here.settings.store), MANY, here.records["labeled-texts"])
    assert books.sums["learned"] + books.sums["held_out"] + len(_refused(here)) == WINDOW
    assert books.sums["refused"] == len(odd)
    assert here.dead_windows() == []


def _refused(here: Installation) -> set[tuple[int, int]]:
    letters = here.dead_letters().items()
    return {place for place, letter in letters if letter.reason == "too_many_labels"}


def test_repeats_corrections_and_conflicts_are_told_apart(learning: Installation) -> None:
    here = learning
    texts = labeled(WINDOW, task=TWICE)
    corrected = texts[1].model_copy(update={"label": "flat" if texts[1].label == "up" else "up"})
    conflicting = texts[2].model_copy(
        update={"id": "another", "label": "flat" if texts[2].label == "up" else "up"}
    )
    second = [texts[0], corrected, conflicting, *labeled(WINDOW - 3, start=WINDOW, task=TWICE)]
    here.write(encoded(texts))
    here.until(lambda: here.labels_learned(TWICE) == WINDOW)
    here.write(encoded(second))
    here.until(lambda: here.labels_learned(TWICE) == 2 * WINDOW)
    counts = here.evaluations(TWICE)[-1].counts
    assert (counts.duplicates, counts.corrected, counts.conflicting) == (1, 1, 1)
    assert counts.learned + counts.held_out == WINDOW - 1
    books = read_books(Path(here.settings.store), TWICE, here.records["labeled-texts"])
    assert books.taught[texts[0].id or ""] == 1
    assert books.taught[texts[1].id or ""] == 2  # once, and once more for its new label
    assert len(books.taken) == 2 * WINDOW


def test_windows_of_one_class_and_of_one_record_are_valid_outcomes(
    learning: Installation,
) -> None:
    here = learning
    alone = [text for text in labeled(3 * WINDOW, task=ALONE) if text.label == "up"]
    here.write(encoded(alone[:WINDOW]))
    here.until(lambda: here.labels_learned(ALONE) == WINDOW)
    here.write(encoded(labeled(1, task=TINY)))
    here.close_windows(TINY)
    here.until(lambda: here.labels_learned(TINY) == 1)
    here.write(encoded(labeled(WINDOW, task=TINY, start=1)))
    here.until(lambda: here.labels_learned(TINY) == WINDOW + 1)
    rounds = [*here.evaluations(ALONE), *here.evaluations(TINY)]
    assert all(event.reason and event.outcome is not Outcome.FAILED for event in rounds)
    assert not here.dead_windows()


def test_a_store_that_is_away_delays_a_window_and_loses_nothing(learning: Installation) -> None:
    here = learning
    store = Path(here.settings.store)
    aside = store.with_name("store-aside")
    here.write(encoded(labeled(WINDOW, task=AWAY)))
    here.until(lambda: here.labels_learned(AWAY) == WINDOW)
    here.until(lambda: here.committed("train", TRAINING_WINDOWS) == len(here.windows()))
    before = len(here.windows())
    store.rename(aside)
    store.write_text("a file where the folder was")
    here.write(encoded(labeled(WINDOW, start=WINDOW, task=AWAY)))
    here.until(lambda: len(here.logged("train", "training_retried")) >= 2)
    assert here.labels_learned(AWAY) == WINDOW
    assert here.committed("train", TRAINING_WINDOWS) == before
    pauses = [entry["pause"] for entry in here.logged("train", "training_retried")]
    assert pauses[1] > pauses[0]
    store.unlink()
    aside.rename(store)
    here.until(lambda: here.labels_learned(AWAY) == 2 * WINDOW)
    here.until(lambda: here.committed("train", TRAINING_WINDOWS) == before + 1)
    assert not here.dead_windows()
    log = here.records["labeled-texts"]
    assert set(read_books(store, AWAY, log).taken) == in_the_log(log, AWAY)


def test_a_tampered_artifact_is_refused_and_the_old_version_keeps_answering(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    with here.roles("windows", "train", "serve"):
        here.write(encoded(labeled(2 * WINDOW)))
        here.until(lambda: bool(here.versions()))
        here.await_serve()
        good = here.versions()[-1]
        head = Path(good.uri, good.head.path)
        tampered = head.with_name("tampered.onnx")
        tampered.write_bytes(head.read_bytes()[:-1] + b"!")
        path = str(tampered.relative_to(good.uri))
        bad = good.model_copy(
            update={"version": 1000, "head": good.head.model_copy(update={"path": path})}
        )
        here.write([bad.encode()], topic=MODEL_VERSIONS, key=TASK.encode())
        here.until(lambda: bool(here.logged("serve", "version_refused")))
        here.ask(questions(3))
        here.until(lambda: len(here.predictions()) == 3)
        here.write(encoded(labeled(2 * WINDOW, start=2 * WINDOW)))
        here.until(lambda: here.labels_learned(TASK) == 4 * WINDOW)
        newest = here.versions()[-2].version  # the last is the tampered one
        here.until(
            lambda: newest in [e["version"] for e in here.logged("serve", "version_swapped")]
        )
    [refused] = here.logged("serve", "version_refused")
    assert (refused["task"], refused["version"]) == (TASK, 1000)
    assert "SHA-256" in refused["reason"]
    assert {answer.version for answer in here.predictions().values()} == {good.version}
