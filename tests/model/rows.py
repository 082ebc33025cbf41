"""What the journal says of records, without features."""

from model.data import Record
from model.intake import Intake
from model.journal import Row
from model.splits import text_hash


def row_of(record: Record, *, part: str = "learn", sequence: int = 0) -> Row:
    """The row of a record."""
    return Row.of(
        record, part=part, sequence=sequence, text_hash=text_hash(record.text), features=None
    )


def rows_of(intake: Intake) -> list[Row]:
    """The rows of what was taken in."""
    return [row_of(item.record, part=item.part) for item in intake.taken]
