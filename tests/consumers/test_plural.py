"""Numbers of things."""

from consumers.plural import counted


def test_one_is_no_plural() -> None:
    assert [counted(number, "record") for number in (0, 1, 2)] == [
        "0 records",
        "1 record",
        "2 records",
    ]
