"""Which texts run together through an encoder, so that little is spent on padding."""

from collections.abc import Iterator, Sequence


def batches_by_length(
    lengths: Sequence[int], *, max_tokens: int, max_stretch: float | None = None
) -> Iterator[list[int]]:
    """Indices by rising length, in batches of at most `max_tokens` tokens with the padding.

    A text longer than `max_tokens` is a batch of its own. Ties keep their order.

    Args:
        lengths: tokens of each text.
        max_tokens: in one batch, padding included.
        max_stretch: over this many times the shortest text's length, and 4 tokens more, a text
            begins another batch: one long text among short ones would make all of them long.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Lengths ascend, so this text's length is what the whole batch would be padded to.
        width = max(1, lengths[index])
        full = width * (len(batch) + 1) > max_tokens
        shortest = lengths[batch[0]] if batch else width
        uneven = max_stretch is not None and width > max_stretch * shortest + 4
        if batch and (full or uneven):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
