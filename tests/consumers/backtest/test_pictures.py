from pathlib import Path

import pytest

from tests.consumers.backtest.reports import BETTER, WORSE, a_report

pytest.importorskip("matplotlib")


def test_every_plan_has_a_matrix_and_all_share_the_curves(tmp_path: Path) -> None:
    from consumers.backtest.pictures import draw

    files = draw(a_report(WORSE, better=BETTER, worse=WORSE), tmp_path / "new")

    assert [path.name for path in files] == [
        "matrix-better.svg",
        "matrix-worse.svg",
        "prequential.svg",
        "average-accuracy.svg",
        "accuracy-against-compute.svg",
    ]
    assert all(path.read_text(encoding="utf-8").startswith("<?xml") for path in files)


def test_plans_with_windows_of_their_own_are_drawn_beside_each_other(tmp_path: Path) -> None:
    from consumers.backtest.pictures import draw

    finer = BETTER.model_copy(update={"windows": [*BETTER.windows] * 2, "prequential": [0.5, 0.6]})

    assert draw(a_report(finer=finer, worse=WORSE), tmp_path)
