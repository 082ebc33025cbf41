"""All guarantees over one body of evidence."""

from tests.faults.checker.answers import check_answers
from tests.faults.checker.evidence import Evidence, Violation
from tests.faults.checker.lag import check_lag
from tests.faults.checker.lineage import check_lineages
from tests.faults.checker.records import check_records
from tests.faults.checker.versions import check_versions

CHECKS = (check_records, check_lineages, check_versions, check_answers, check_lag)


def verify(evidence: Evidence) -> list[Violation]:
    """Every violation of G1 to G5; evidence that is too broken to be read is one too."""
    found: list[Violation] = []
    for check in CHECKS:
        try:
            found += check(evidence)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            found.append(Violation(check.__name__, "the evidence", f"cannot be read: {error!r}"))
    return found
