"""Ports of 127.0.0.1 for servers that must be told theirs: kept from everybody else for as long as a test needs them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def kept_ports(count: int) -> Iterator[list[int]]:
    """So many ports, on which nobody listens and of which the kernel gives nobody another.

    A server that is told one can listen there all the same, again and again: servers allow an address to be used again
    (``SO_REUSEADDR``), and what keeps it here is bound without listening.
    """
    with ExitStack() as stack:
        kept = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in kept:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in kept]
