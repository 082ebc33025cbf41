"""What the pictures show, read back from the SVG: its text stays text."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.text import Text

from consumers import plots
from consumers.plots.confusion import MOST_LABELS
from consumers.plots.figure import COLOURS, drawing, style


def words(path: Path) -> list[str]:
    """The texts of an SVG, in their order."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text(encoding="utf-8"))


def test_a_confusion_matrix_shows_the_shares_of_each_true_label(tmp_path: Path) -> None:
    path = tmp_path / "confusion.svg"

    plots.confusion(["down", "up"], [(0, 0, 3), (0, 1, 1), (1, 1, 2)], path)

    shown = words(path)
    assert {"down", "up", "true label", "answer", "0.75", "0.25", "1.00"} <= set(shown)


def test_of_many_labels_the_most_confused_are_shown_and_the_title_says_so(tmp_path: Path) -> None:
    path = tmp_path / "confusion.svg"
    labels = [f"label {number}" for number in range(100)]
    right = [(number, number, 9) for number in range(100)]

    plots.confusion(labels, [*right, (98, 99, 1)], path)

    shown = words(path)
    assert f"Confusion: the {MOST_LABELS} most confused of 100 labels" in shown
    assert {"label 98", "label 99"} <= set(shown)
    assert "label 97" not in shown


def test_a_curve_has_its_axes_named_and_its_lines_in_the_legend(tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"

    plots.curves({"new": [0.5, float("nan"), 0.7]}, path, title="T", x="round", y="accuracy")

    assert {"T", "round", "accuracy", "new"} <= set(words(path))


@pytest.mark.parametrize("step", [0, 4, 40])
def test_a_single_step_stands_alone_on_the_whole_scale(step: int, tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    lines = {"new": [float("nan"), 1.0], "old": [float("nan")] * 2}
    plots.curves(lines, path, title="T", at={name: [step - 1, step] for name in lines})
    marks = [word for word in words(path) if re.fullmatch(r"[\d.]+", word)]
    assert marks == [str(step), "0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_steps_are_marked_at_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    plots.curves({"new": [0.25, 0.75]}, path, title="T", at={"new": [3, 4]})
    assert words(path)[:2] == ["3", "4"]


def test_a_line_without_values_is_not_in_the_legend(tmp_path: Path) -> None:
    path, nan = tmp_path / "curve.svg", float("nan")

    plots.curves({"old": [nan, nan], "new": [0.5, nan]}, path, title="T")
    assert "new" in words(path)
    assert "old" not in words(path)

    plots.curves({"old": [nan]}, path, title="T")
    assert "old" not in words(path)


def test_an_axis_of_accuracies_ends_at_one_and_one_of_points_where_it_must(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    places = r"-?\d\.\d+"

    def highest() -> float:
        shown = [word.replace("\N{MINUS SIGN}", "-") for word in words(path)]
        return max(float(word) for word in shown if re.fullmatch(places, word))

    plots.curves({"new": [0.2, 1.0]}, path, title="T")
    assert highest() == 1
    plots.accuracy_against_compute({"new": [(0, 0.9), (900, 1.0)]}, path)
    assert highest() == 1
    plots.accuracy_against_compute({"new": [(0, -1.0), (900, 2.0)]}, path, shares=False)
    assert highest() == 2


@pytest.mark.parametrize(
    "name", ["T", "financial-sentiment, round 4", "i W " * 30, "one\ntwo " * 9]
)
def test_a_title_is_broken_where_the_picture_ends(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    title = f"{name}: accuracy by the round that brought the records"
    with drawing(path, width=5.2, height=4.2) as axes:
        axes.set_ylabel("after round")
        axes.set_title(title)

    assert axes.get_title(loc="left").split() == title.split()
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    (drawn,) = (each for each in axes.findobj(Text) if each.get_text() == axes.get_title("left"))
    assert drawn.get_window_extent().x1 <= figure.bbox.width


def test_a_roc_says_the_area_and_a_reliability_diagram_the_diagonal(tmp_path: Path) -> None:
    plots.roc({"up": (0.75, [(0.0, 0.0), (0.0, 0.5), (1.0, 1.0)])}, tmp_path / "roc.svg")
    plots.calibration({"champion": [(0.6, 0.5, 10)]}, tmp_path / "reliability.svg")

    assert {"up, area 0.750", "false-positive rate"} <= set(words(tmp_path / "roc.svg"))
    assert {"calibrated", "champion", "confidence"} <= set(words(tmp_path / "reliability.svg"))


def test_what_was_not_measured_is_blank_in_a_matrix(tmp_path: Path) -> None:
    path = tmp_path / "matrix.svg"

    plots.accuracy_matrix(np.array([[0.5, np.nan], [0.4, 0.9]]), ["a", "b"], path)

    shares = [word for word in words(path) if re.fullmatch(r"0\.\d\d", word)]
    assert sorted(shares) == ["0.40", "0.50", "0.90"]


def test_equal_pictures_are_equal_files(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        plots.curves({"new": [0.5, 0.6]}, tmp_path / name, title="T")

    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_suffix_chooses_the_format(tmp_path: Path) -> None:
    plots.curves({"new": [0.5, 0.6]}, tmp_path / "a.png", title="T")

    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_lines_of_the_same_colour_differ_in_mark_and_dash() -> None:
    first, again = style(0), style(len(COLOURS))

    assert first["color"] == again["color"]
    assert first["marker"] != again["marker"]
    assert first["linestyle"] != again["linestyle"]
