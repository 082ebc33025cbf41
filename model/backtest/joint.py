"""Joint training: all slices at once, the mark that a learner of a stream is measured against."""

import time

from model.backtest.effort import WatchMemory
from model.backtest.exam import Exam
from model.backtest.plans import BacktestPlan
from model.backtest.report import PlanReport, WindowReport
from model.backtest.stream import Stream
from model.data import Progress
from model.encoder import Encoder
from model.fit import fit_encoder
from model.onnx_session import Device
from model.transfer import average_accuracy, forgetting
from model.update import seed_of


def run_joint(
    plan: BacktestPlan,
    stream: Stream,
    exam: Exam,
    *,
    device: Device,
    watch_memory: WatchMemory,
    told: Progress,
) -> PlanReport:
    """Fit the base model once on every training record, shuffled, and score its softmax head.

    The same loop, optimiser, learning rates, warm-up, decay, batch size and epochs as the plan's
    refreshes. Nothing is held out of it, so that it learns more records than any plan does.
    """
    texts = [text for each in stream.slices for text in each.train]
    labels = list(dict.fromkeys(text.label for text in texts))
    config = plan.config
    encoder = Encoder.load(config.encoder.base_model, config=config.encoder, device=device)
    began = time.perf_counter()
    with watch_memory() as memory:
        fitted = fit_encoder(
            encoder,
            [text.text for text in texts],
            [labels.index(text.label) for text in texts],
            len(labels),
            config=config.fit,
            seed=seed_of("joint", 0, [window.window.span for window in stream.windows(len(texts))]),
            progress=told,
        )
    seconds = time.perf_counter() - began
    right = exam.right(fitted.encoder, fitted.head, labels)
    matrix = [[sum(flags) / len(flags) for flags in right]]
    window = WindowReport(
        records=len(texts),
        prequential=None,
        seconds=seconds,
        peak_memory_bytes=memory.peak_bytes,
        sample_steps=fitted.report.sample_steps,
        forward_passes=0,
        rounds=[],
    )
    return PlanReport(
        average_accuracy=average_accuracy(matrix),
        forgetting=forgetting(matrix),
        accuracy_matrix=matrix,
        accuracy_before=[0.0] * len(stream.slices),
        prequential=[None],
        seconds=seconds,
        sample_steps=fitted.report.sample_steps,
        forward_passes=0,
        peak_memory_bytes=memory.peak_bytes,
        windows=[window],
        test_right=[list(flags) for flags in right],
        config=config.model_dump(mode="json"),
    )
