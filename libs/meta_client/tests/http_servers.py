"""Servers on 127.0.0.1 for the tests: the plumbing, and one that answers by a script."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import attrs


@attrs.frozen
class Request:
    """What was asked; ``path`` as it was sent, with its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen
class Reply:
    """What to answer. ``raw`` instead of JSON; ``cut``: send so many bytes and hang up; ``after``: wait for it first."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = attrs.field(factory=dict)
    raw: bytes | None = None
    cut: int | None = None
    after: threading.Event | None = None

    def bytes(self) -> bytes:
        return json.dumps(self.body).encode() if self.raw is None else self.raw


HANG_UP = Reply(cut=-1)
"""No answer at all: the connection ends."""


class Answering(Protocol):
    """Gives the reply to a request."""

    def reply_to(self, request: Request) -> Reply: ...


class Script:
    """Answers each request with the next of the replies put down for its method and path; the last one stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._replies: dict[str, list[Reply]] = {}

    def on(self, line: str, *replies: Reply) -> None:
        """Put down replies for a line such as ``GET /flows/F``; without a query it stands for every query."""
        self._replies[line] = list(replies)

    def reply_to(self, request: Request) -> Reply:
        self.requests.append(request)
        replies = self._replies.get(request.line) or self._replies.get(request.line.partition("?")[0])
        if replies is None:
            return Reply(404, raw=b"404: Not Found")
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def lines(self) -> list[str]:
        return [request.line for request in self.requests]


@contextmanager
def port_of_nobody() -> Iterator[int]:
    """A port where nobody listens: it is kept from others while within, though `serving` may take it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@contextmanager
def serving(answering: Answering, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve while within; the URL."""
    server = _Server(("127.0.0.1", port), _handler(answering))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests may hang up."""


def _handler(answering: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 300
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, dict(self.headers), json.loads(sent) if sent else None)
            reply = answering.reply_to(request)
            if reply.after is not None:
                reply.after.wait()
            content = reply.bytes()
            if reply.cut is not None:
                self.close_connection = True
            if reply.cut is None or reply.cut >= 0:
                self.send_response(reply.status)
                for name, value in {"Content-Type": "text/plain", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: reply.cut])

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  # names that http.server looks for

    return Handler
