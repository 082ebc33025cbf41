"""Answers probes over HTTP, in threads of its own: also while the event loop is busy."""

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from model.errors import ConfigError

Answer = tuple[bool, Mapping[str, Any]]
"""Whether all is well, and the body."""
Answers = Mapping[str, Callable[[], Answer]]
"""What each path answers; called in any thread."""


class HealthEndpoint:
    """`GET` of each path: 200 where all is well, else 503, with a JSON body.

    Args:
        host: address to listen on.
        port: 0 takes any free one.
        answers: by path.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(self, *, host: str, port: int, answers: Answers) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler_of(answers))
        except OSError as error:
            msg = (
                f"cannot answer probes on {host}:{port}: {error.strerror or error}; "
                "set FRESHET_HEALTH_HOST and FRESHET_HEALTH_PORT to an address that is free"
            )
            raise ConfigError(msg) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler_of(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = 10  # seconds: a client that says nothing must not keep a thread

        def do_GET(self) -> None:
            """Answer a path."""
            path = self.path.partition("?")[0]
            if (answer := answers.get(path)) is None:
                self._say(HTTPStatus.NOT_FOUND, {"paths": sorted(answers)})
                return
            well, body = answer()
            self._say(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, body)

        def _say(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's
            """Say nothing: a probe comes every few seconds."""

    return Handler
