"""What can go wrong before a broker stands."""

from model.errors import StopError


class BrokerError(StopError):
    """No broker could be started; the message says what was missing and what to do."""
