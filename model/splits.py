"""Which side of the split a text falls on: decided by its words alone, so that repeats agree."""

import hashlib
import unicodedata
from typing import Literal

Part = Literal["learn", "select", "judge"]
"""`select` chooses (form, penalty, temperature, early stop), `judge` is what the gate looks at."""

NORMALISER = "nfkc-casefold-spaces"
"""The name of `normalise_text`; another way to normalise gets another name."""

_PERSON = b"freshet.split"
_KEY_BYTES = 64


def normalise_text(text: str) -> str:
    """Drop what repeats of a text differ in: letter case, Unicode form, runs of white space.

    NFKC, full case folding, NFKC again (folding can undo it), and single spaces. Digits and
    punctuation stay: "up 5%" and "up 7%" are two texts.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def text_hash(text: str) -> str:
    """128 bits of BLAKE2b over the normalised text, as 32 hexadecimal digits."""
    return hashlib.blake2b(_bytes(text), digest_size=16).hexdigest()


def split_of(text: str, *, salt: str, share: float) -> Part:
    """Place a text by a keyed hash of its normalised form, uniform on [0, 1).

    Below `share / 2` it selects, below `share` it judges, from there on it is learned. A larger
    share only moves texts from `learn` to `judge` and from `judge` to `select`.

    Args:
        text: as it came.
        salt: the key; another salt is another split.
        share: of texts held out, in [0, 1].
    """
    key = salt.encode(errors="surrogatepass")
    if len(key) > _KEY_BYTES:
        key = hashlib.blake2b(key).digest()
    digest = hashlib.blake2b(_bytes(text), digest_size=8, key=key, person=_PERSON).digest()
    position = int.from_bytes(digest, "big") / 2**64
    if position < share / 2:
        return "select"
    return "judge" if position < share else "learn"


def _bytes(text: str) -> bytes:
    return normalise_text(text).encode(errors="surrogatepass")
