"""A load balancer before instances of a service: TCP, each connection to the next instance that takes it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence

from stepwell_testing.listening import Listener


class Balancer(Listener):
    """A listener before instances; `ports` are theirs, on the same address."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(self._pass_on)
        self._turns: Iterator[int] = itertools.count()
        self._ports = ports

    def _pass_on(self, client: socket.socket) -> None:
        with self._instance() as server:
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()

    def _instance(self) -> socket.socket:
        first = next(self._turns)
        for number in range(len(self._ports)):
            port = self._ports[(first + number) % len(self._ports)]
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), 5)
        raise ConnectionRefusedError("no instance listens")


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one side closes, and close the other for it."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
