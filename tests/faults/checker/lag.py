"""G5: after the faults end, every group is at the head of its topic again."""

from collections.abc import Iterator, Mapping

from tests.faults.checker.evidence import Evidence, Place, Violation

READS = {"windows": "labeled-texts", "train": "training-windows", "serve": "texts"}


def lag(
    committed: Mapping[str, Mapping[Place, int]], ends: Mapping[Place, int]
) -> dict[tuple[str, Place], int]:
    """Records that each role's group has yet to commit, by partition; those at the head left out.

    A group that starts at the latest offset has committed nothing where nothing ever came.

    Args:
        committed: next offset to read, by role and place.
        ends: where each partition ends.
    """
    found = {}
    for role, topic in READS.items():
        for place, end in ends.items():
            behind = end - committed.get(role, {}).get(place, 0)
            if place[0] == topic and behind > 0:
                found[role, place] = behind
    return found


def check_lag(evidence: Evidence) -> Iterator[Violation]:
    """Every group that is not at the head."""
    for (role, (topic, partition)), behind in sorted(
        lag(evidence.committed, evidence.ends).items()
    ):
        yield Violation("G5", f"{role} on {topic}/{partition}", f"{behind} records behind")
