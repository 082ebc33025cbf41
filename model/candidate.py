"""A candidate's head: solved from statistics, chosen and calibrated on the selection records."""

from model.choice import Choice, choose_head
from model.config import HeadConfig
from model.head import LinearHead
from model.horizon import held_out
from model.state import TaskState
from model.statistics import Statistics


def solve_candidate(
    state: TaskState, statistics: Statistics, *, config: HeadConfig, keep_form: bool
) -> tuple[LinearHead, int]:
    """Solve a head and count how many selection records it has right.

    Selection records are held out and never judge, so that choosing on them flatters nobody.

    Args:
        state: with the held-out records and their features under the encoder of `statistics`.
        statistics: what to solve from.
        config: what to choose among.
        keep_form: whether form, features and penalty of the champion's head are the incumbents;
            not where the encoder has changed.
    """
    index = state.label_index()
    selection = held_out(state, "select", config)
    features = state.holdout_features(selection)
    truth = [index[row.label] for row in selection]
    champion = state.head if keep_form else None
    head = choose_head(
        statistics,
        features,
        truth,
        config=config,
        labels=state.labels[: statistics.num_labels],
        incumbent=Choice.of(champion) if champion else None,
    )
    right = int((head.predict(features) == truth).sum()) if truth else 0
    return head, right
