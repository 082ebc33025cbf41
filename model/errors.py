"""What can go wrong while a model learns, and which of three fates each fault meets.

Whoever runs an update decides by class alone: `Retry` again after a pause, `Reject` the input for
good (a dead letter), `Stop` the process, since every further input would fail alike.
"""


class FreshetError(Exception):
    """Any fault that this project names."""


class RetryError(FreshetError):
    """It may go well the next time: a store or broker that does not answer, a disk that is full."""


class RejectError(FreshetError):
    """This input can never be processed; the next may well be."""


class StopError(FreshetError):
    """Nothing will go well until a person changes something."""


class StoreUnavailableError(RetryError):
    """The object store did not answer or refused; nothing was written that a reader would see."""


class NoVersionError(RetryError):
    """No version of the task is being served yet."""


class AlreadyExistsError(RetryError):
    """Somebody created this name first; read what it holds and decide again."""


class CondemnedError(RetryError):
    """What a round would name is being pruned at this moment; a little later it is made anew."""


class TipMovedError(RetryError):
    """Another worker extended the lineage first; read the new tip and try again."""


class NotFoundError(RejectError):
    """The store holds nothing under this name."""


class SpanDeletedError(RejectError):
    """Retention has deleted records of a span that was to be learned."""


class SpanMismatchError(RejectError):
    """What a span holds is not what its window said (count or digest)."""


class ArtifactRefusedError(RejectError):
    """An artifact is missing, truncated, tampered with, or not what its version says."""


class ParityError(RejectError):
    """The exported graphs and the model that was trained disagree; `largest` is the difference."""

    def __init__(self, message: str, *, largest: float) -> None:
        super().__init__(message)
        self.largest = largest


class NotFiniteError(RejectError):
    """A loss, a feature or a weight is not a finite number."""


class ConfigError(StopError):
    """Settings that cannot work; the message lists every one with its value."""
