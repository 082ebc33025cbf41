"""The reader of `model-versions`, without a broker."""

from consumers.inference.version_reader import VersionReader


def test_a_reader_that_was_closed_has_not_caught_up_with_what_it_opens_next() -> None:
    reader = VersionReader(topic="model-versions", kafka={})
    reader.caught_up = True
    reader.close()
    assert not reader.caught_up
