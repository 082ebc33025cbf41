"""A version that a train role made is rebuilt from the log by another process, byte for byte."""

from consumers.rebuild import rebuilt
from schemas.evaluation import Outcome
from tests.integration.conftest import Install
from tests.integration.installation import encoded
from tests.integration.texts import TASK, labeled

WINDOW = 60
REFRESH = {"first_after_records": 100, "every_records": 10_000, "min_records_per_label": 5}


def test_what_a_train_role_made_is_rebuilt_from_the_log(install: Install) -> None:
    here = install(
        records=WINDOW, defaults={"refresh": REFRESH, "gate": {"obey": False}}, threads=1
    )
    with here.roles("windows", "train"):
        here.write(encoded(labeled(WINDOW)))
        here.until(lambda: len(here.evaluations(TASK)) == 1)
        here.write(encoded(labeled(WINDOW, start=WINDOW)))
        here.until(lambda: len(here.evaluations(TASK)) == 3)
    rounds = here.evaluations(TASK)
    assert [each.kind for each in rounds] == ["increment", "increment", "refresh"]
    assert {each.outcome for each in rounds} == {Outcome.PROMOTED}

    for number in range(3):
        found = rebuilt(here.settings, TASK, number, progress=lambda stage, /, **_fields: None)

        assert found.equal, [*found.files, *found.outcome, *found.environment]
        assert found.outcome == ()
