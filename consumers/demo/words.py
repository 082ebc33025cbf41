"""The run in words and figures: one place for how a window, a version, a time is written."""

from collections.abc import Mapping

from consumers.demo.events import TrainingProgressed
from consumers.demo.state import DemoState, Round
from schemas.evaluation import Comparison, EvaluationEvent
from schemas.prediction import Prediction
from schemas.window import TrainingWindow

STAGES = ("queue", "fit", "evaluate", "export", "publish", "swap")


def accuracy(value: float | None) -> str:
    """An accuracy to three places; a dash where nothing was measured."""
    return "-" if value is None else f"{value:.3f}"


def pair(champion: float | None, candidate: float | None) -> str:
    """Champion against candidate."""
    if champion is None and candidate is None:
        return "-"
    return f"{accuracy(champion)} > {accuracy(candidate)}"


def compared(comparison: Comparison) -> str:
    """Champion against candidate."""
    return pair(comparison.champion, comparison.candidate)


def seconds(value: float | None) -> str:
    """A duration to a tenth of a second."""
    return "-" if value is None else f"{value:.1f} s"


def split_up(parts: Mapping[str, float]) -> str:
    """Where a duration went, stage by stage."""
    told = [f"{name} {parts[name]:.1f}" for name in STAGES if name in parts]
    return ", ".join(told)


def window_closed(window: TrainingWindow, number: int) -> str:
    """One line on a window that closed."""
    return f"window {number} closed: {window.task}, {window.num_records} records, {window.reason}"


def evaluated(evaluation: EvaluationEvent) -> str:
    """One line on what a round found and decided."""
    return (
        f"version {evaluation.sequence} ({evaluation.kind}) {evaluation.outcome}: "
        f"prequential {accuracy(evaluation.prequential_accuracy)}, "
        f"new {compared(evaluation.new)} ({evaluation.new.num_records}), "
        f"old {compared(evaluation.old)} ({evaluation.old.num_records}); {evaluation.reason}"
    )


def fresh(held: Round) -> str:
    """One line on how soon a version answered."""
    sequence = held.evaluation.sequence if held.evaluation else "?"
    after = held.freshness_seconds
    since = f"{after:.1f} s after its last record" if after is not None else "for the first time"
    return f"version {sequence} answers {since} ({split_up(held.seconds)})"


def answered(prediction: Prediction, text: str) -> str:
    """One line on an answer."""
    score = prediction.scores.get(prediction.label, 0.0)
    return f"v{prediction.version} {prediction.label} ({score:.2f}): {text}"


def working(progress: TrainingProgressed | None, state: DemoState) -> str:
    """What the training role does right now."""
    if progress is None:
        if state.idle_at is None:
            return "loading the base model"
        return "idle" if state.is_idle else "waiting for it"
    step, steps = progress.fields.get("step"), progress.fields.get("steps")
    loss = progress.fields.get("loss")
    told = progress.stage
    if step is not None and steps:
        told += f" {step}/{steps}"
    return f"{told}, loss {loss:.3f}" if isinstance(loss, int | float) else told
