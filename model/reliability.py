"""Whether confidence is as high as accuracy: the expected calibration error and its bins."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.metrics import NUM_BINS, ConfidenceBin


def confidence_bins(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, num_bins: int = NUM_BINS
) -> tuple[ConfidenceBin, ...]:
    """Records by confidence in bins of equal width, ((m-1)/M, m/M]; empty ones are left out.

    Guo et al. 2017, section 2. A confidence of 0 counts to the first bin.

    Args:
        confidence: (N,) the score of each answer.
        right: (N,) whether it is the true label.
        num_bins: M.
    """
    place = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)
    return tuple(
        ConfidenceBin(
            num_records=int(held.sum()),
            confidence=min(1.0, float(confidence[held].mean())),
            accuracy=float(right[held].mean()),
        )
        for held in (place == number for number in range(num_bins))
        if held.any()
    )


def calibration_error(bins: Sequence[ConfidenceBin]) -> float:
    """Expected calibration error: sum_m |B_m|/N |acc(B_m) - conf(B_m)|; 0 without records.

    Guo et al. 2017, equation 3.
    """
    num_records = sum(held.num_records for held in bins)
    gaps = (held.num_records * abs(held.accuracy - held.confidence) for held in bins)
    return sum(gaps) / num_records if num_records else 0.0
