"""The page of a campaign says what was played and what came of it."""

from collections import Counter
from pathlib import Path

from tests.faults.checker.evidence import Violation
from tests.faults.crew import Exit
from tests.faults.report import Books, write_report
from tests.faults.round import Outcome


def outcome(
    seed: int, *, recovery: float | None, violations: tuple[Violation, ...] = ()
) -> Outcome:
    return Outcome(
        seed=seed,
        faults=(),
        fired=Counter({"kill": 2, "pause": 1}),
        violations=violations,
        recovery_seconds=recovery,
        records={"good": 100, "bad": 5, "asking": 20},
        starts=9,
        exits=(Exit("serve-1", 1, '{"event": "role_failed", "kind": "OffsetLostError"}'),),
        outcomes=Counter({"increment promoted": 4}),
        story=(),
    )


def test_the_page_adds_up_the_rounds(tmp_path: Path) -> None:
    books = Books()
    for seed, seconds in ((4, 12.0), (5, 40.0)):
        books.add(outcome(seed, recovery=seconds))
    write_report(tmp_path / "FAULTS.md", books, first_seed=4, faults=14, seconds=28)
    page = (tmp_path / "FAULTS.md").read_text()
    assert "`make faults ROUNDS=2 SEED=4`" in page
    assert "| rounds | 2, of which 1 on three nodes |" in page
    assert "| kill -9 of roles, workers and brokers | 4 |" in page
    assert "| **violations** | **0**: each of G1 to G5 held in every round |" in page
    assert "| 10 to 15 s | 1 |" in page
    assert "| serve: OffsetLostError | 2 |" in page


def test_the_page_names_each_violation_with_its_seed(tmp_path: Path) -> None:
    books = Books()
    books.add(outcome(3, recovery=None, violations=(Violation("G4", "texts/0/1", "no answer"),)))
    write_report(tmp_path / "FAULTS.md", books, first_seed=3, faults=14, seconds=28)
    page = (tmp_path / "FAULTS.md").read_text()
    assert "- seed 3: G4 texts/0/1: no answer" in page
    assert "| rounds that were not at the head within the limit | 1 |" in page
