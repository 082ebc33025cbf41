"""Bytes and texts of strangers, made safe for a terminal."""


def printable(raw: bytes | str) -> str:
    """The text with everything escaped that a terminal would obey or hide.

    Control characters (line breaks too), bidi and other format characters, lone surrogates,
    unassigned characters, and bytes that are not UTF-8 are written as in a Python literal, and so
    is the backslash, so that nothing looks like what it is not.
    """
    if isinstance(raw, str):
        raw = raw.encode(errors="surrogatepass")
    text = raw.replace(b"\\", b"\\\\").decode("utf-8", errors="backslashreplace")
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
