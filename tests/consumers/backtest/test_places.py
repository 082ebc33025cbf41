import re
from pathlib import Path

import pytest

from consumers.backtest.places import check_plots, check_report
from model.errors import ConfigError


def test_a_report_of_before_is_left_as_it_is_and_none_is_left_behind(tmp_path: Path) -> None:
    held = tmp_path / "old.json"
    held.write_text("{}", encoding="utf-8")
    check_report(held)
    check_report(tmp_path / "new.json")

    assert held.read_text(encoding="utf-8") == "{}"
    assert list(tmp_path.iterdir()) == [held]


@pytest.mark.parametrize("target", ["gone.json", "no-folder/gone.json", "link.json"])
def test_a_report_that_is_a_link_to_nothing_is_refused_and_left(
    tmp_path: Path, target: str
) -> None:
    """Also where the folder of what it names is missing, and where it names itself."""
    (link := tmp_path / "link.json").symlink_to(tmp_path / target)

    said = f"--report is {link}, a link to {tmp_path / target}, which is not there"
    with pytest.raises(ConfigError, match=re.escape(said)):
        check_report(link)

    assert list(tmp_path.iterdir()) == [link]
    assert link.is_symlink()


def test_a_report_that_is_a_link_to_a_file_is_left_as_it_is(tmp_path: Path) -> None:
    (held := tmp_path / "old.json").write_text("{}", encoding="utf-8")
    (link := tmp_path / "link.json").symlink_to(held)
    check_report(link)

    assert link.readlink() == held
    assert held.read_text(encoding="utf-8") == "{}"


def test_a_folder_of_pictures_is_made_and_left_empty(tmp_path: Path) -> None:
    check_plots(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []
