"""A server on 127.0.0.1 that notes what it is asked and answers everything alike: enough to see what reaches a service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs


@attrs.define
class Asked:
    """Where it listens, and what came: method, path and headers, whose names are in small letters."""

    url: str
    requests: list[tuple[str, str, dict[str, str]]] = attrs.field(factory=list)


@contextmanager
def answering(status: int = 404, body: bytes = b"{}", **headers: str) -> Iterator[Asked]:
    """Answer so while within."""
    asked = Asked("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815  # names that http.server looks for

        def handle_expect_100(self) -> bool:
            return True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    asked.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
