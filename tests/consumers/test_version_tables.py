"""What `freshet models show` says of a round, to the digit."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.models_cli import app
from model.artifacts import ArtifactStore
from model.lineage_entry import AnchorRef, LineageEntry, TrialRef
from model.plan import Adjustment, Plan
from schemas.evaluation import Drift, Transfer, WindowAccuracy
from tests.model.written import TASK, Written

CHANGES = (
    Adjustment(field="refresh_interval", before=1.0, after=2.0, reason="it lost on trial"),
    Adjustment(field="compute_share", before=None, after=0.0123456, reason="it paid on trial"),
    Adjustment(field="epochs", before=3, after=None, reason="a drift"),
)
TRIAL = TrialRef(
    version=4, refreshed=5, plan=Plan(), num_records=60, known=50, wrong=9, gained=3, lost=1
)
TRANSFER = Transfer(
    windows=(
        WindowAccuracy(window=0, first=0.7, best=0.9, now=0.8),
        WindowAccuracy(window=1, before=0.5, first=0.8, best=0.8, now=0.65),
        WindowAccuracy(window=3, before=0.6254, first=0.8506, best=0.8506, now=0.8506),
    ),
    average_accuracy=0.7668667,
    forgetting=0.125,
    backward_transfer=-0.025,
    forward_transfer=0.5627,
)
DRIFT = Drift(since_record=1234, answers=90, error_before=0.1, error_after=0.26666)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A lineage of one round, which a second may follow."""
    return Written(ArtifactStore(str(tmp_path / "store"))).rounds(1)


def shown(
    written: Written,
    *,
    transfer: Transfer | None = None,
    drift: Drift | None = None,
    **found: object,
) -> dict[str, list[str]]:
    """The lines of each fact that is shown of a round that found so much, by name."""
    entry = written.tip
    assert entry is not None
    evaluation = entry.evaluation.model_copy(
        update={"sequence": 1, "transfer": transfer, "drift": drift}
    )
    second = {"sequence": 1, "evaluation": evaluation, "serving": 1, **found}
    written.lineage.commit(LineageEntry.model_validate(dict(entry) | second))
    done = CliRunner().invoke(app, ["show", TASK, "1", "--store", written.store.uri])
    assert done.exit_code == 0, done.output
    rows = [line.split("│")[1:3] for line in done.output.splitlines() if line.startswith("│")]
    facts: dict[str, list[str]] = {}
    for name, value in rows:
        facts.setdefault(name.strip() or list(facts)[-1], []).append(value.strip())
    return facts


def test_the_figures_over_rounds_have_three_digits_and_backward_transfer_its_sign(
    written: Written,
) -> None:
    assert shown(written, transfer=TRANSFER)["over rounds"] == [
        "average accuracy 0.767 of 3, forgetting 0.125, transfer backward -0.025, forward 0.563"
    ]


def test_a_gain_of_earlier_rounds_has_its_sign_too(written: Written) -> None:
    gained = TRANSFER.model_copy(update={"backward_transfer": 0.0256, "forgetting": 0.0})

    [line] = shown(written, transfer=gained)["over rounds"]

    assert "forgetting 0.000, transfer backward +0.026, forward 0.563" in line


def test_the_outlook_is_what_the_next_rounds_find(written: Written) -> None:
    facts = shown(
        written,
        plan=Plan(changes=CHANGES),
        drift=DRIFT,
        trial=TRIAL,
        anchor=AnchorRef(version=2, age=1),
    )

    assert facts["next fit"] == [
        "refresh_interval 1 > 2: it lost on trial",
        "compute_share as configured > 0.01235: it paid on trial",
        "epochs 3 > as configured: a drift",
    ]
    assert facts["drift"] == ["since record 1234: errors 0.100 > 0.267"]
    assert facts["on trial"] == ["the encoder of 5 beside 4"]
    assert facts["tested beside"] == ["version 2"]


def test_what_is_not_known_has_no_line(written: Written) -> None:
    facts = shown(written, anchor=None)

    assert facts["next fit"] == ["as configured"]
    for name in ("over rounds", "drift", "on trial", "tested beside"):
        assert name not in facts
