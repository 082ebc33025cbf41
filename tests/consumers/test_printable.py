"""What strangers send is printed so that it neither moves the cursor nor hides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.printable import printable


@pytest.mark.parametrize(
    ("raw", "printed"),
    [
        (b"Profit rose", "Profit rose"),
        ("Gewinn stieg, 利益", "Gewinn stieg, 利益"),
        (b"\x1b[2J\x00\n", r"\x1b[2J\x00\n"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("\ud800", r"\xed\xa0\x80"),
        (b"\\n", r"\\n"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_escaped(raw: bytes | str, printed: str) -> None:
    assert printable(raw) == printed


@given(st.binary() | st.text(st.characters()))
def test_whatever_comes_is_printable_and_one_line(raw: bytes | str) -> None:
    assert printable(raw).isprintable()


@given(st.binary(), st.binary())
def test_two_values_never_look_alike(one: bytes, other: bytes) -> None:
    assert (printable(one) == printable(other)) == (one == other)
