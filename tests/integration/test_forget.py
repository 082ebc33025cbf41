"""A record is forgotten while the roles run: at once, for good, and by the encoder too."""

import json
from pathlib import Path
from typing import Any

from consumers.forget import forget
from consumers.refresh_command import ask_for_refresh
from model.denied import DenyList
from schemas.evaluation import EvaluationEvent, Outcome
from tests.integration.conftest import Install
from tests.integration.installation import Installation, encoded
from tests.integration.texts import TASK, labeled, questions

WINDOW = 40


def entry_of(here: Installation, sequence: int) -> Any:
    file = Path(here.settings.store, "tasks", TASK, "lineage", f"{sequence:08d}.json")
    return json.loads(file.read_text(encoding="utf-8"))


def refreshes(here: Installation) -> list[EvaluationEvent]:
    return [event for event in here.evaluations(TASK) if event.kind == "refresh"]


def test_a_record_is_forgotten_while_the_roles_run(install: Install) -> None:
    defaults = {"gate": {"obey": False}, "monitor": {"enabled": False}}
    here = install(records=WINDOW, defaults=defaults)
    texts = labeled(2 * WINDOW, ids="person")
    with here.roles("windows", "train", "serve"):
        here.write(encoded(texts))
        here.until(lambda: here.labels_learned(TASK) == 2 * WINDOW)
        here.await_serve()
        ask_for_refresh(here.settings, TASK, who="ops", why="an encoder of its own")
        here.until(lambda: len(refreshes(here)) == 1)

        for text in texts:  # one that was learned
            done = forget(
                here.settings,
                TASK,
                DenyList.of_id(text.id or ""),
                who="the data office",
                why="on request",
                unseen=False,
                dry_run=False,
                refresh=True,
                progress=lambda _stage, /, **_fields: None,
            )
            if done.traces.counted:
                break

        assert done.entry is not None
        assert (done.unannounced, done.unasked, done.asked) == (None, None, True)
        sequence = done.entry.sequence
        here.until(lambda: sequence in {version.version for version in here.versions(TASK)})
        here.until(lambda: len(refreshes(here)) == 2)
        again = [text, *labeled(WINDOW - 1, start=2 * WINDOW)]
        here.write(encoded(again))
        here.until(lambda: here.labels_learned(TASK) == 3 * WINDOW)
        last = here.evaluations(TASK)[-1].sequence
        here.until(lambda: last in {version.version for version in here.versions(TASK)})
        here.until(lambda: last in {e["version"] for e in here.logged("serve", "version_swapped")})
        here.ask(questions(3))
        here.until(lambda: len(here.predictions()) == 3)
    here.read_on()

    forgetting = next(e for e in here.evaluations(TASK) if e.sequence == sequence)
    assert (forgetting.kind, forgetting.outcome) == ("forget", Outcome.FORGOTTEN)
    first, second = refreshes(here)
    assert done.traces.tuned == (first.sequence,)
    assert entry_of(here, second.sequence)["fitted_from"] == entry_of(here, 0)["encoder"]["digest"]
    assert here.evaluations(TASK)[-1].counts.denied == 1
    assert {p.version for p in here.predictions().values()} == {last}
    assert text.id is not None
    assert text.id not in json.dumps([entry_of(here, n) for n in range(last + 1)])
