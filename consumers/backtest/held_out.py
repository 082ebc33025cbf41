"""The test sets of the slices: rows that a file marks, a share by a hash, or files of their own."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from consumers.backtest.parts import Part, by_value, mark
from consumers.datasets import LEFT_OUT, TEST, Dataset, Row, normalised
from model.errors import ConfigError
from schemas.labeled_text import LabeledText

TEST_SHARE = 0.15
"""Held out of a slice that brings no test rows of its own."""

TestSet = tuple[LabeledText, ...]


def held_back(parts: Sequence[Part], *, seed: int) -> tuple[list[Part], list[TestSet]]:
    """Each part's own test rows, else a share of its texts by a hash that repeats agree on."""
    learned, tests = [], []
    for part in parts:
        own = tuple(row for row in part.rows if mark(row) in TEST)
        rest = tuple(row for row in part.rows if mark(row) not in TEST | LEFT_OUT)
        if not own:
            own, rest = _by_hash(rest, seed=seed)
        learned.append(replace(part, rows=rest))
        tests.append(_texts(own))
    return learned, tests


def partly_marked(parts: Sequence[Part]) -> list[str]:
    """A line where some parts bring test rows and others none."""
    without = [part.name for part in parts if not any(mark(row) in TEST for row in part.rows)]
    if len(without) in {0, len(parts)}:
        return []
    names = ", ".join(without)
    return [f"no row of {names} is marked as test: a seeded {TEST_SHARE:.0%} of each is held out"]


def without_marks(parts: Iterable[Part]) -> list[Part]:
    """Where test sets are given, rows that the file marks as test or valid are not learned."""
    return [
        replace(part, rows=tuple(row for row in part.rows if mark(row) not in TEST | LEFT_OUT))
        for part in parts
    ]


def given_tests(
    parts: Sequence[Part], tests: Sequence[Dataset], *, by_field: bool
) -> list[TestSet]:
    """The given test sets, one a part in their order; or one for all, cut by the parts' field.

    Raises:
        ConfigError: there is another number of them.
    """
    if len(tests) == 1:
        (only,) = tests
        by_name = {each.name: each.rows for each in by_value(only.rows)} if by_field else {}
        rows = [by_name.get(part.name, ()) if by_field else only.rows for part in parts]
    elif len(tests) == len(parts):
        rows = [dataset.rows for dataset in tests]
    else:
        names = ", ".join(part.name for part in parts)
        raise ConfigError(
            f"{len(tests)} test files for {len(parts)} slices ({names}): "
            "give one for each in their order, or one for all"
        )
    return [_texts(each) for each in rows]


def of_no_part(parts: Sequence[Part], tests: Dataset, field: str) -> list[str]:
    """A line where rows of the one test file have values of which there is no part."""
    names = {part.name for part in parts}
    others = sorted((row for row in tests.rows if row.kept not in names), key=lambda row: row.line)
    if not others:
        return []
    where, value = f"{tests.path}:{others[0].line}", f"{field} is {others[0].kept!r:.80}"
    return [f"{where}: left out, the first of {len(others)} of no learned slice: {value}"]


def _by_hash(rows: Sequence[Row], *, seed: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    drawn = {row.line: _drawn(row.labeled.text, seed=seed) for row in rows}
    limit = max(TEST_SHARE, min(drawn.values(), default=0.0))  # one text at least
    test = tuple(row for row in rows if drawn[row.line] <= limit)
    return test, tuple(row for row in rows if drawn[row.line] > limit)


def _drawn(text: str, *, seed: int) -> float:
    """Uniform on [0, 1), by the normalised text under the seed."""
    key = hashlib.sha256(f"{seed}\n{normalised(text)}".encode(errors="replace"))
    return int.from_bytes(key.digest()[:8], "big") / 2**64


def _texts(rows: Iterable[Row]) -> TestSet:
    return tuple(row.labeled for row in rows)
