"""A TCP proxy before an S3 server that reads requests, counts them, and answers some of them its own way."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable

import attrs

from stepwell_testing.listening import Listener

HEAD_END = b"\r\n\r\n"


@attrs.frozen
class Request:
    """What the proxy saw of a request: its number from 1 on, and its first line's parts."""

    number: int
    method: str
    path: str
    conditional: bool


@attrs.frozen
class Answer:
    """Answer this instead of the server."""

    status: str
    code: str


@attrs.frozen
class Reset:
    """Reset the connection: before the server sees the request, or after it has done it."""

    done: bool


@attrs.frozen
class Silence:
    """Do not answer for so long, then close."""

    seconds: float


@attrs.frozen
class Cut:
    """Pass on the answer's head and this share of its body, then close; ``flip`` changes one byte instead."""

    share: float
    flip: bool = False


Fault = Answer | Reset | Silence | Cut
Schedule = Callable[[Request], Fault | None]


class Proxy(Listener):
    """A listener before a server at an `http://` URL; ``schedule`` may be changed at any time."""

    def __init__(self, target: str) -> None:
        super().__init__(self._answer_all)
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self.schedule: Schedule = lambda _: None
        self.requests: list[Request] = []
        self._counting = threading.Lock()

    def count(self, *methods: str) -> int:
        """How many requests of these methods came."""
        return sum(request.method in methods for request in self.requests)

    def forget(self) -> None:
        """Count from 1 again, without faults."""
        self.schedule = lambda _: None
        self.requests.clear()

    def _answer_all(self, client: socket.socket) -> None:
        """One connection, request by request, each over a connection to the server of its own."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(client)
        while (head := reader.head()) and self._handle(client, reader, head):
            pass

    def _handle(self, client: socket.socket, reader: Reader, head: bytes) -> bool:
        """Whether the connection may go on."""
        if b"100-continue" in head.lower():
            client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect: 100-continue", b"", head)
        body = reader.body(head)
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        with self._counting:
            request = Request(len(self.requests) + 1, method, path, b"if-none-match: *" in head.lower())
            self.requests.append(request)
        fault = self.schedule(request)
        if isinstance(fault, Answer):
            client.sendall(_answer(fault, method))
            return True
        if isinstance(fault, Silence):
            time.sleep(fault.seconds)
            return False
        if fault == Reset(done=False):
            _reset(client)
            return False
        with socket.create_connection(self._target, 60) as server:
            server.sendall(head + body)
            answering = Reader(server)
            answer_head = answering.head()
            answer_body = b"" if method == "HEAD" else answering.body(answer_head)
        if isinstance(fault, Reset):
            _reset(client)
            return False
        if isinstance(fault, Cut):
            if not fault.flip:
                client.sendall(answer_head + answer_body[: int(len(answer_body) * fault.share)])
                return False
            at = int(len(answer_body) * fault.share)
            answer_body = (
                answer_body[:at] + bytes(byte ^ 1 for byte in answer_body[at : at + 1]) + answer_body[at + 1 :]
            )
        client.sendall(answer_head + answer_body)
        return b"connection: close" not in answer_head.lower()


class Reader:
    """Reads heads and bodies of HTTP/1.1 messages from a socket."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._held = bytearray()

    def head(self) -> bytes:
        """Up to the empty line; nothing where the other side has closed."""
        while HEAD_END not in self._held:
            if not self._more():
                return b""
        return self._take(self._held.index(HEAD_END) + len(HEAD_END))

    def body(self, head: bytes) -> bytes:
        """As long as the head says; chunks stay as they are."""
        if b"transfer-encoding: chunked" in head.lower():
            return self._chunks()
        found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        wanted = int(found[1]) if found else 0
        while len(self._held) < wanted and self._more():
            pass
        return self._take(wanted)

    def _chunks(self) -> bytes:
        whole = b""
        while True:
            while b"\r\n" not in self._held and self._more():
                pass
            line = self._take(self._held.index(b"\r\n") + 2)
            size = int(line.split(b";")[0], 16) + 2
            while len(self._held) < size and self._more():
                pass
            whole += line + self._take(size)
            if size == 2:
                return whole

    def _more(self) -> bool:
        data = self._source.recv(1 << 18)
        self._held += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def _answer(fault: Answer, method: str) -> bytes:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{fault.code}</Code>'
        f"<Message>injected</Message><RequestId>1</RequestId></Error>"
    ).encode()
    length = f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {fault.status}\r\nContent-Type: application/xml\r\n{length}\r\n".encode()
    return head if method == "HEAD" else head + body


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
