"""What a round leaves in the replay memory: what it learned, and no longer what it took back."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from model.intake import Intake
from model.journal import Row
from model.replay_memory import ReplayRow
from model.state import TaskState


def remembered(
    taken_in: TaskState,
    after: TaskState,
    intake: Intake,
    rows: Sequence[Row],
    given_up: Collection[int],
) -> TaskState:
    """The state after an increment with its replay memory.

    Records of rejected rounds are in it apart, until a later round adopts them or gives them up; a
    correction that was rejected has taken nothing back yet.

    Args:
        taken_in: the state that knows the round's records and has learned nothing from them yet.
        after: the state after the decision, whose memory is still the one before.
        intake: the round's records.
        rows: the round's journal rows.
        given_up: sequences of rejected rounds that were given up.
    """
    counting = [
        row
        for sequence, held in taken_in.set_apart.items()
        if sequence not in (*after.set_apart, *given_up)
        for row in held
    ]
    taken_back = set()
    if taken_in.sequence not in after.set_apart:
        counting += rows
        taken_back = {row.id for row in intake.taken_back}
    taken_back |= {row.id for row in counting if row.weight < 0}
    waiting = [row for held in after.set_apart.values() for row in held]
    standing = {(row.id, row.sequence) for row in (*counting, *waiting) if row.weight > 0}
    gone = {
        (row.id, row.sequence)
        for row in taken_in.replay.rows
        if (
            (row.id, row.sequence) not in standing
            if row.sequence in taken_in.set_apart
            else row.id in taken_back
        )
    }
    brought = [
        ReplayRow.of(item.record, taken_in.sequence)
        for item in intake.taken
        if item.part == "learn"
    ]
    replay = taken_in.replay.without(gone).add(brought, apart=set(after.set_apart))
    return after if replay is after.replay else replace(after, replay=replay)
