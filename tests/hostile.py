"""Input that nobody should send: what hypothesis makes up, and the extremes by name."""

import json
from typing import Any

from hypothesis import strategies as st

NASTY_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\x1b[2J\x07",
    "\u202eabc\u2066",
    "\ufeffbom",
    "\u2028\u2029",
    "\U0001f469\u200d\U0001f680",
    "\ud800",
    "\udfff\ud800",
    "x" * 300,
    "\ufdfa" * 50,
    "e" + "\u0301" * 300,
)
"""NUL, terminal escapes, bidi overrides, a lone surrogate, a text that grows when normalised."""

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(),
    st.sampled_from(NASTY_TEXTS),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "-1", "1e400"]),
)


def _json(value: Any, *, ascii_only: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")


@st.composite
def like(draw: st.DrawFn, example: dict[str, Any]) -> bytes:
    """JSON that resembles an example: some of its values, here or further in, are others."""
    value = json.loads(json.dumps(example))
    for _ in range(draw(st.integers(1, 3))):
        where = value
        while True:
            if not where:
                break
            key = draw(st.sampled_from(range(len(where)) if isinstance(where, list) else [*where]))
            inner = where[key]
            if isinstance(inner, dict | list) and draw(st.booleans()):
                where = inner
                continue
            where[key] = draw(JUNK)
            break
    return _json(value, ascii_only=draw(st.booleans()))


@st.composite
def damaged(draw: st.DrawFn, example: dict[str, Any]) -> bytes:
    """The bytes of an example, cut, or with some of them others."""
    raw = bytearray(_json(example, ascii_only=True))
    for _ in range(draw(st.integers(1, 4))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.integers(0, len(raw)))])


def hostile(example: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Values for a reader of such an example."""
    anything = st.recursive(
        JUNK, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
    ).map(lambda value: _json(value, ascii_only=False))
    return st.one_of(st.binary(), anything, like(example), damaged(example))


MEGABYTE = 2**20


def extremes(example: dict[str, Any], field: str) -> dict[str, bytes]:
    """The extremes by name; `field` takes what is absurd in length or count."""

    def filled(inside: str) -> bytes:
        return json.dumps({**example, field: "@"}).replace('"@"', inside).encode()

    return {
        "deep list": b"[" * 200_000,
        "deep list inside": filled("[" * 100_000 + "]" * 100_000),
        "deep object": b'{"a":' * 200_000,
        "deep ignored field": json.dumps({**example, "more": "@"})
        .replace('"@"', "[" * 100_000 + "]" * 100_000)
        .encode(),
        "ten megabytes of text": filled('"' + "x" * 10 * MEGABYTE + '"'),
        "ten megabytes of nothing": b" " * 10 * MEGABYTE,
        "ten megabytes of NUL": b"\x00" * 10 * MEGABYTE,
        "ten megabytes of ignored fields": json.dumps(example)[:-1].encode()
        + b"".join(b',"f%d":[]' % number for number in range(700_000))
        + b"}",
        "a field given a hundred thousand times": json.dumps(example)[:-1].encode()
        + f',"{field}":"a"'.encode() * 60_000
        + b"}",
        "a million digits": filled("9" * 1_000_000),
        "a huge exponent": filled("1e999999999"),
        "many empty labels": filled("[" + ",".join(['""'] * 300_000) + "]"),
        "many bad counts": filled(
            "{" + ",".join(f'"{number}":-1' for number in range(80_000)) + "}"
        ),
        "invalid UTF-8": filled('"\x7f"').replace(b"\x7f", b"\xff\xfe\xc0\xaf"),
        "an encoded surrogate": filled('"\x7f"').replace(b"\x7f", b"\xed\xa0\x80"),
        "a lone surrogate": filled('"\\ud800"'),
        "NUL": filled('"a\\u0000b"'),
        "a byte order mark": b"\xef\xbb\xbf" + json.dumps(example).encode(),
        "UTF-16": json.dumps(example).encode("utf-16"),
        "not a number": filled("NaN"),
        "infinity": filled("-Infinity"),
        "nothing": b"",
    }
