"""What the comparison of fits says of figures that are given."""

import pytest

from benchmarks.fit import Turn, missed, table


def turn(ours: float, trainer: float, best: float, accuracy: float = 0.8) -> Turn:
    """Samples a second of the three; Trainer's accuracy is 0.8."""
    speeds = {"ours": ours, "trainer": trainer, "trainer-best": best}
    return {
        name: {
            "samples_per_second": speed,
            "samples_per_cpu_second": speed / 2,
            "accuracy": accuracy if name == "ours" else 0.8,
        }
        for name, speed in speeds.items()
    }


def test_a_fit_that_is_fast_enough_misses_nothing() -> None:
    assert missed([turn(26, 13, 20)]) == []


def test_each_limit_that_is_missed_is_named() -> None:
    faults = missed([turn(24, 13, 20, accuracy=0.7)])
    assert faults == [
        "1.85 times trainer, less than 2.0",
        "1.20 times trainer-best, less than 1.3",
        "accuracy 0.700, below Trainer's 0.800 by over 0.010",
    ]


def test_a_slow_minute_of_the_machine_meets_all_fits_of_a_turn() -> None:
    """The ratio is taken within turns: medians of the speeds would say 26 over 1.3."""
    slow, fast = turn(2.6, 1.3, 2), turn(26, 13, 20)
    assert missed([slow, fast, fast]) == []
    assert missed([slow, slow, fast]) == []


@pytest.mark.parametrize(("accuracies", "equal"), [((0.76, 0.79, 0.81), True), ((0.7,) * 3, False)])
def test_accuracies_within_the_spread_of_the_seeds_are_equal(
    accuracies: tuple[float, ...], equal: bool
) -> None:
    turns = [turn(26, 13, 20, accuracy=each) for each in accuracies]
    assert (missed(turns) == []) is equal


def test_the_table_has_a_row_for_each_fit() -> None:
    lines = table([turn(26, 13, 20), turn(39, 13, 20, accuracy=0.9)]).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("| ours | 32.5 | 16.2 |")
    assert lines[2].endswith("| 0.850 (0.800-0.900) |")
    assert lines[3] == "| trainer | 13.0 | 6.5 | 2.50 | 2.0 | 0.800 (0.800-0.800) |"
