"""How well a classifier answers on labeled records, in full and yet bounded: it fits an event."""

from pydantic import BaseModel, ConfigDict

from schemas.base import Count, Fraction, Label

MOST_CLASSES = 200
"""Most labels that are listed one by one: those with the most records."""
MOST_CELLS = 2000
"""Most cells of a confusion matrix: the fullest."""
MOST_CURVES = 10
"""Most ROC curves: those of the labels with the smallest area."""
MOST_POINTS = 40
"""Most points of a ROC curve."""
NUM_BINS = 15
"""Bins of confidence, as in Guo et al. 2017."""

Cell = tuple[Count, Count, Count]
"""Index of the true label, index of the answer (both into `classes`), number of records; above
zero."""
Point = tuple[Fraction, Fraction]
"""False-positive rate, true-positive rate."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassMetrics(_Part):
    """One label against the rest."""

    label: Label
    num_records: Count
    """Its support: records of this label."""
    precision: Fraction
    """Of the answers with this label, how many are right; 0 where there are none."""
    recall: Fraction
    """Of its records, how many are answered so; 0 where there are none."""
    f1: Fraction
    """Harmonic mean of both; 0 where both are."""
    roc_auc: Fraction | None
    """Area under its ROC; None where all records are of it or none is."""


class RocCurve(_Part):
    """The receiver operating characteristic of one label against the rest, thinned."""

    label: Label
    points: tuple[Point, ...]
    """From (0, 0) to (1, 1)."""


class ConfidenceBin(_Part):
    """Records whose answer has a confidence in the same fifteenth of (0, 1]."""

    num_records: Count
    confidence: Fraction
    """Mean score of the answers."""
    accuracy: Fraction


class ClassificationMetrics(_Part):
    """One model on one set of records. Macro means weigh every label that has records the same."""

    num_records: Count
    num_labels: Count
    """Labels with records or answers; `classes` lists at most 200 of them."""
    accuracy: Fraction
    macro_precision: Fraction
    macro_recall: Fraction
    macro_f1: Fraction
    roc_auc: Fraction | None
    """Macro mean, one label against the rest; None where it is defined for no label."""
    log_loss: float
    """Mean in nats; a score of the true label below 0.01 counts as 0.01."""
    calibration_error: Fraction
    """Expected calibration error over 15 bins (Guo et al. 2017)."""
    negative_flip_rate: Fraction | None = None
    """Share of the records that the model before has right and this one wrong (Yan et al. 2021);
    None where there is none before."""
    classes: tuple[ClassMetrics, ...] = ()
    """Those with the most records, by name."""
    confusion: tuple[Cell, ...] = ()
    """The fullest cells of the confusion matrix over `classes`, diagonal included, row by row."""
    roc_curves: tuple[RocCurve, ...] = ()
    """Of the labels with the smallest area, smallest first."""
    calibration_bins: tuple[ConfidenceBin, ...] = ()
    """By confidence; bins without records are left out."""
