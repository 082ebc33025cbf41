"""The head that an increment proposes, and what the gate's answer leaves of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.candidate import solve_candidate
from model.config import TaskConfig
from model.deltas import TRIES_OF_A_REJECTED_ROUND, applied, reinstated, spent_rounds
from model.head import LinearHead
from model.journal import Row
from model.state import TaskState
from model.statistics import Statistics
from schemas.evaluation import Outcome


@dataclass(frozen=True, slots=True)
class Solution:
    """A candidate: its head, what it was solved from, and whether rejected rounds are in it."""

    head: LinearHead
    statistics: Statistics
    adopts: bool


def solve_round(state: TaskState, rows: Sequence[Row], *, config: TaskConfig) -> Solution:
    """Solve with and without what was rejected before; selection records say which is better.

    What was tried often enough, adopted and rolled back each time, is not tried again.
    """
    index = state.label_index()
    without = applied(state.statistics, rows, index)
    head, right = solve_candidate(state, without, config=config.head, keep_form=True)
    solution = Solution(head, without, adopts=False)
    spent = spent_rounds(state)
    every = [row for s, held in state.set_apart.items() if s not in spent for row in held]
    if not every:
        return solution
    combined = applied(without, every, index)
    other, other_right = solve_candidate(state, combined, config=config.head, keep_form=True)
    # Of equals the one that knows more.
    return Solution(other, combined, adopts=True) if other_right >= right else solution


def settled(
    state: TaskState, rows: tuple[Row, ...], solution: Solution, outcome: Outcome
) -> tuple[TaskState, tuple[int, ...], tuple[Row, ...]]:
    """The state after the decision, the rejected rounds given up now, and what that reinstates.

    A round is given up after so many increments that tried it in vain; before the first version
    there was nothing to compare it with, so that none is.
    """
    promoted = outcome is Outcome.PROMOTED
    adopted, spent = promoted and solution.adopts, spent_rounds(state)
    left = {s: held for s, held in state.set_apart.items() if s in spent or not adopted}
    tried = 0 if state.head is None else 1
    tries = {sequence: state.tries.get(sequence, 0) + tried for sequence in left}
    given_up = tuple(s for s, count in tries.items() if count >= TRIES_OF_A_REJECTED_ROUND)
    back_again = tuple(row for sequence in given_up for row in reinstated(left[sequence]))
    kept = {sequence: held for sequence, held in left.items() if sequence not in given_up}
    if not promoted:
        kept[state.sequence] = rows
    after = replace(
        state,
        set_apart=kept,
        tries={sequence: tries.get(sequence, 0) for sequence in kept},
        journal=state.journal.extended(back_again),
    )
    if promoted:
        after = replace(after, head=solution.head, statistics=solution.statistics)
    return after, given_up, back_again
