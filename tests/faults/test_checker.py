"""The checker finds every violation that is planted in a sound installation, and nothing else."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checker.verify import verify
from tests.faults.sound import TASK, Sound, letter

CHECKER = Path(__file__).with_name("checker")


@pytest.fixture
def sound(tmp_path: Path) -> Sound:
    return Sound(tmp_path)


def found(sound: Sound, guarantee: str) -> str:
    """What the checker says; all of it must be about one guarantee."""
    violations = verify(sound.evidence())
    assert violations, "nothing was found"
    assert {violation.guarantee for violation in violations} == {guarantee}, violations
    return "\n".join(map(str, violations))


def test_a_sound_installation_has_no_violation(sound: Sound) -> None:
    assert verify(sound.evidence()) == []


def test_the_checker_shares_no_code_with_the_roles() -> None:
    allowed = {"kafka", "pyarrow", *sys.stdlib_module_names}
    for file in CHECKER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith("tests.faults.checker")
                assert own or name.partition(".")[0] in allowed, f"{file.name} imports {name}"
    # And what it imports does not bring them along.
    script = (
        "import sys, tests.faults.checker.verify, tests.faults.checker.tail\n"
        "print(sorted({'schemas', 'model', 'consumers', 'faust', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# G1: accounted for, exactly once.


def test_g1_a_record_that_no_window_took(sound: Sound) -> None:
    sound.append("labeled-texts", {"id": "lost", "task": TASK, "text": "a", "label": "up"})
    assert "labeled-texts/0/10: a valid record of prices is in no lineage entry" in found(
        sound, "G1"
    )


def test_g1_a_record_of_a_task_without_a_lineage(sound: Sound) -> None:
    sound.append("labeled-texts", {"id": "lost", "task": "nobody", "text": "a", "label": "up"})
    assert "a valid record of nobody" in found(sound, "G1")


def test_g1_is_silent_on_a_record_that_is_not_committed(sound: Sound) -> None:
    sound.append("labeled-texts", {"id": "new", "task": TASK, "text": "a", "label": "up"})
    sound.committed["windows"] = {("labeled-texts", 0): 10}
    assert "G5 windows on labeled-texts/0: 1 records behind" in found(sound, "G5")


def test_g1_a_window_that_was_learned_behind_its_successor(sound: Sound) -> None:
    first, last = sound.entries[0], sound.entries[2]
    first["spans"], last["spans"] = last["spans"], first["spans"]
    assert "records are known" in found(sound, "G1")


def test_g1_an_invalid_record_without_a_deadletter(sound: Sound) -> None:
    sound.records["labeled-texts.dead-letters"].clear()
    assert "labeled-texts/0/3: invalid, and has no dead letter" in found(sound, "G1")


def test_g1_a_deadletter_that_a_restart_repeats_counts_once(sound: Sound) -> None:
    sound.append("labeled-texts.dead-letters", letter("labeled-texts", 3, b"{broken"))
    assert verify(sound.evidence()) == []


def test_g1_a_deadletter_with_other_bytes(sound: Sound) -> None:
    sound.change("labeled-texts.dead-letters", 0, value="AAAA")
    assert "holds other bytes" in found(sound, "G1")


def test_g1_two_deadletters_of_one_record_that_differ(sound: Sound) -> None:
    sound.append(
        "labeled-texts.dead-letters",
        {**letter("labeled-texts", 3, b"{broken"), "reason": "another"},
    )
    assert "say different things" in found(sound, "G1")


def test_g1_a_deadletter_of_a_valid_record(sound: Sound) -> None:
    dead = letter("labeled-texts", 2, sound.records["labeled-texts"][2].value)
    sound.append("labeled-texts.dead-letters", dead)
    assert "a dead letter of a valid record" in found(sound, "G1")


def test_g1_a_record_that_was_taught_twice(sound: Sound) -> None:
    sound.write_journal(0, [0, 1, 2, 4, 4])
    assert "labeled-texts/0/4 is taught, and is no record of its own" in found(sound, "G1")


def test_g1_an_id_that_was_taught_again_as_if_it_were_new(sound: Sound) -> None:
    sound.write_journal(0, [0, 1, 2, 4, 5])
    assert "labeled-texts/0/5 is taught as id-5" in found(sound, "G1")
    sound.write_journal(2, [8, 9], id="id-4")
    assert "id-4 is taught a second time" in found(sound, "G1")


def test_g1_a_record_that_is_neither_taught_nor_a_duplicate(sound: Sound) -> None:
    sound.write_journal(2, [8])
    sound.entries[2]["evaluation"]["counts"].update(learned=1, duplicates=1)
    sound.change("evaluation-events", 2, counts=sound.entries[2]["evaluation"]["counts"])
    assert "labeled-texts/0/9 is neither taught nor a duplicate" in found(sound, "G1")


def test_g1_counts_that_do_not_add_up(sound: Sound) -> None:
    sound.entries[2]["evaluation"]["counts"]["learned"] = 3
    sound.change("evaluation-events", 2, counts=sound.entries[2]["evaluation"]["counts"])
    assert "its files and spans say" in found(sound, "G1")


def test_g1_a_record_taught_under_another_label(sound: Sound) -> None:
    sound.write_journal(2, [8, 9], label="down")
    assert "is taught as id-8: down" in found(sound, "G1")


def test_g1_a_window_that_was_given_up_without_a_deadletter(sound: Sound) -> None:
    sound.records["training-windows.dead-letters"].clear()
    assert "G1 w-6: given up in the lineage, and has no dead letter" in found(sound, "G1")


def test_g1_a_dead_letter_of_a_window_that_is_not_in_the_log(sound: Sound) -> None:
    sound.append("training-windows.dead-letters", letter("training-windows", 9, None))
    assert "a dead letter of a window that is not in the log" in found(sound, "G1")


# G2: no fork, no gap.


def test_g2_a_gap(sound: Sound) -> None:
    evidence = sound.evidence()
    (sound.folder / "tasks" / TASK / "lineage" / "00000001.json").unlink()
    assert any("a gap" in str(violation) for violation in verify(evidence))


def test_g2_an_announced_round_that_is_not_in_the_store(sound: Sound) -> None:
    sound.append("evaluation-events", {**sound.entries[2]["evaluation"], "sequence": 3})
    assert "which is not in the store: a fork" in found(sound, "G2")


def test_g2_a_round_announced_in_other_words_than_its_entry(sound: Sound) -> None:
    sound.append("evaluation-events", {**sound.entries[2]["evaluation"], "outcome": "promoted"})
    assert "in other words than its entry: a fork" in found(sound, "G2")


def test_g2_a_round_that_was_never_announced(sound: Sound) -> None:
    sound.records["evaluation-events"].pop()
    assert "G2 prices/2: was never told on evaluation-events" in found(sound, "G2")


def test_g2_a_round_announced_before_the_one_before_it(sound: Sound) -> None:
    first, second, *more = sound.records["evaluation-events"]
    sound.records["evaluation-events"] = [second, first, *more]
    assert "prices/0: was told on evaluation-events after 1" in found(sound, "G2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda entry: entry.update(sequence=7), "says of itself"),
        (lambda entry: entry.update(serving=None), "says None serves"),
        (lambda entry: entry["evaluation"].update(champion=None), "began with champion None"),
        (lambda entry: entry.update(labels=["down", "up"]), "has labels"),
    ],
)
def test_g2_an_entry_that_does_not_follow_its_predecessor(
    sound: Sound, change: Callable[[dict[str, object]], None], says: str
) -> None:
    change(sound.entries[2])
    assert says in "\n".join(map(str, verify(sound.evidence())))


# G3: complete, proven, byte-identical.


def test_g3_a_tampered_file(sound: Sound) -> None:
    (sound.attempt / "head").write_bytes(b"hEad")
    assert "tasks/prices/attempts/a-0/head has other bytes than announced" in found(sound, "G3")


def test_g3_a_missing_file(sound: Sound) -> None:
    (sound.attempt / "encoder").unlink()
    assert "tasks/prices/attempts/a-0/encoder is missing" in found(sound, "G3")


def test_g3_a_file_that_came_after_its_announcement(sound: Sound) -> None:
    (sound.attempt / "head").write_bytes(b"head")  # now is long after
    assert "tasks/prices/attempts/a-0/head was written after it was announced" in found(sound, "G3")


@pytest.mark.parametrize("parity", [None, 0.01, float("nan")])
def test_g3_a_version_whose_parity_was_not_proven(sound: Sound, parity: float | None) -> None:
    metrics = {} if parity is None else {"parity": parity}
    sound.entries[0]["evaluation"]["metrics"] = metrics
    violations = verify(sound.evidence())
    assert any("its parity was not proven" in str(violation) for violation in violations)


# G4: answered, in order, by an announced version.


def test_g4_a_text_without_an_answer(sound: Sound) -> None:
    sound.records["predictions"].pop()
    assert "texts/0/2: a text without an answer" in found(sound, "G4")


def test_g4_an_answer_that_is_repeated_counts_once(sound: Sound) -> None:
    sound.append("predictions", sound.records["predictions"][0].json)
    assert verify(sound.evidence()) == []


def test_g4_answers_out_of_order(sound: Sound) -> None:
    values = [record.value for record in sound.records["predictions"]]
    swapped = [values[1], values[0], values[2]]
    held = sound.records["predictions"]
    sound.records["predictions"] = [
        record._replace(value=value) for record, value in zip(held, swapped, strict=True)
    ]
    assert "texts/0/1: was answered before a text that came earlier" in found(sound, "G4")


def test_g4_an_answer_by_a_version_that_was_never_announced(sound: Sound) -> None:
    sound.change("predictions", 1, version=2)
    assert "answered by ('prices', 2), which was never announced" in found(sound, "G4")


def test_g4_an_answer_that_came_before_its_version(sound: Sound) -> None:
    held = sound.records["predictions"]
    held[0] = held[0]._replace(timestamp=held[0].timestamp - 1)
    assert "before it was announced" in found(sound, "G4")


def test_g4_an_answer_with_other_labels_than_its_version(sound: Sound) -> None:
    sound.change("predictions", 1, scores={"down": 1.0}, label="down")
    assert "its labels are not those of" in found(sound, "G4")


def test_g4_a_valid_text_among_the_deadletters(sound: Sound) -> None:
    sound.append("texts.dead-letters", letter("texts", 1, b"{}"))
    assert "a valid text is among the dead letters" in found(sound, "G4")


def test_g4_an_invalid_text_without_a_deadletter(sound: Sound) -> None:
    sound.records["texts.dead-letters"].clear()
    assert "texts/0/3: invalid, and has no dead letter" in found(sound, "G4")


def test_g4_an_answer_that_nobody_asked_for(sound: Sound) -> None:
    sound.append("predictions", {**sound.records["predictions"][0].json, "id": "q-9"})
    assert "an answer to a text that nobody asked" in found(sound, "G4")


# G5: at the head.


@pytest.mark.parametrize(
    ("role", "topic"),
    [("windows", "labeled-texts"), ("train", "training-windows"), ("serve", "texts")],
)
def test_g5_a_group_that_is_not_at_the_head(sound: Sound, role: str, topic: str) -> None:
    sound.committed[role] = {(topic, 0): 1}
    behind = len(sound.records[topic]) - 1
    said = "\n".join(map(str, verify(sound.evidence())))
    assert f"G5 {role} on {topic}/0: {behind} records behind" in said


def test_evidence_that_cannot_be_read_is_a_violation(sound: Sound) -> None:
    evidence = sound.evidence()
    lineage = sound.folder / "tasks" / TASK / "lineage" / "00000001.json"
    lineage.write_text(json.dumps({"task": TASK}))
    assert any("cannot be read" in str(violation) for violation in verify(evidence))
