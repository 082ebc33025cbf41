"""What retention deletes is an entry of its own: the window fails, and the next one is learned."""

import pytest

from schemas.evaluation import Outcome
from schemas.topics import TRAINING_WINDOWS
from tests.faults.retention import delete_through
from tests.integration.conftest import Install
from tests.integration.installation import encoded
from tests.integration.texts import TASK, labeled

pytestmark = pytest.mark.long

WINDOW = 40


def test_a_window_whose_records_retention_deletes_is_a_failed_entry_and_never_a_smaller_window(
    install: Install,
) -> None:
    here = install(records=WINDOW)
    with here.roles("windows") as group:
        here.write(encoded(labeled(2 * WINDOW)))
        here.until(lambda: len(here.windows()) == 2)
        first, second = sorted(here.windows(), key=lambda window: window.span.start)
        half = first.span.model_copy(update={"end": first.span.end - WINDOW // 2})
        assert delete_through(here.settings.bootstrap_servers, half) == half.end
        group.start("train")
        here.until(lambda: here.committed("train", TRAINING_WINDOWS) == 2)
    here.read_on()
    rounds = {event.windows: event for event in here.evaluations(TASK)}
    failed, learned = rounds[first.window_id,], rounds[second.window_id,]
    assert failed.outcome is Outcome.FAILED
    assert failed.counts.skipped == WINDOW
    assert "retention has deleted" in failed.reason
    assert learned.counts.learned + learned.counts.held_out == WINDOW
    [letter] = here.dead_windows()
    assert letter.reason == "window_failed"
    assert "SpanDeletedError" in letter.detail
