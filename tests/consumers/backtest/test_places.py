from pathlib import Path

from consumers.backtest.places import check_plots, check_report


def test_a_report_of_before_is_left_as_it_is_and_none_is_left_behind(tmp_path: Path) -> None:
    held = tmp_path / "old.json"
    held.write_text("{}", encoding="utf-8")
    check_report(held)
    check_report(tmp_path / "new.json")

    assert held.read_text(encoding="utf-8") == "{}"
    assert list(tmp_path.iterdir()) == [held]


def test_a_folder_of_pictures_is_made_and_left_empty(tmp_path: Path) -> None:
    check_plots(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []
