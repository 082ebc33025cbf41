"""What libraries say, and how often."""

import logging

from consumers.telemetry import OncePerLine


class Heard(logging.Handler):
    """Keeps the messages that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_a_line_is_heard_once_and_then_with_a_count() -> None:
    now, heard = [0.0], Heard()
    heard.addFilter(OncePerLine(10.0, clock=lambda: now[0]))
    library, own = logging.Logger("aiokafka.client"), logging.Logger("freshet")
    for logger in (library, own):
        logger.addHandler(heard)

    for second in range(12):
        now[0] = float(second)
        library.error("cannot reach node %s", second)
        own.error("retried")
        if second == 3:
            library.error("another line")

    for _ in range(2):
        library.error("traceback", exc_info=ValueError("a fault of its own"))

    assert heard.messages.count("traceback") == 2
    assert [each for each in heard.messages if each not in ("retried", "traceback")] == [
        "cannot reach node 0",
        "another line",
        "cannot reach node 10 (and 9 times since it was last told)",
    ]
    assert heard.messages.count("retried") == 12
