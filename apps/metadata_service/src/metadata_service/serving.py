"""The application under gunicorn, embedded: one process that listens and watches, worker processes of threads."""

from __future__ import annotations

import ipaddress
import logging
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from metadata_service.errors import CannotListen
from metadata_service.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

GRACE_S = 30  # what is being answered when the service stops gets so long
_FIRST_BYTE_S = 0.05
_NEXT_REQUEST_MS = 5
_SWITCH_S = 0.0005
"""How long a thread keeps the interpreter while others wait for it. A request needs it for less than a millisecond, so that
Python's own 5 ms make whoever comes back from the database wait for several whole requests."""
_LONGEST_REQUEST_LINE = 8190  # bytes, gunicorn's largest: paths of five encoded names of 255 characters are long


def stop_on_sigterm() -> None:
    """Until the server takes over, SIGTERM unwinds the stack, so that what was started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to an address, that accepts nothing yet; port 0 takes a free one. Raises `CannotListen`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise CannotListen(host, port, error.strerror or str(error)) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_public(bound: socket.socket) -> bool:
    """Whether other machines may reach it."""
    return not ipaddress.ip_address(bound.getsockname()[0]).is_loopback


def serve(
    settings: Settings,
    bound: socket.socket,
    *,
    workers: int,
    threads: int,
    ready: Callable[[], None],
    every_second: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is being answered; ends by `SystemExit`.

    ``ready`` is called when connections are accepted, ``every_second`` about so often in the process that watches.
    """
    configuration = {
        "bind": f"fd://{bound.detach()}",
        "workers": workers,
        "threads": threads,
        "worker_class": _Worker,
        "keepalive": 75,
        "graceful_timeout": GRACE_S,
        "limit_request_line": _LONGEST_REQUEST_LINE,
        "logger_class": _Log,
        "control_socket_disable": True,
        "when_ready": lambda _: ready(),
        "post_fork": _end_while_starting,
        "post_worker_init": _begin_to_work,
    }
    with tempfile.TemporaryDirectory(prefix="metadata-service-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read when the library is first imported
        from metadata_service.app import create_app

        _Server(create_app(settings), configuration, every_second).run()


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, configuration: dict[str, Any], every_second: Callable[[], None]) -> None:
        self._app, self._configuration, self._every_second = app, configuration, every_second
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._configuration.items():
            if name in self.cfg.settings:  # what a later gunicorn switches on, an earlier one does not have
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app

    def run(self) -> None:
        _Arbiter(self, self._every_second).run()


class _Arbiter(Arbiter):  # type: ignore[misc]
    def __init__(self, server: _Server, every_second: Callable[[], None]) -> None:
        self._every_second = every_second
        super().__init__(server)

    def murder_workers(self) -> None:
        """Gunicorn calls this once a second to end workers that hang."""
        super().murder_workers()
        self._every_second()

    def spawn_worker(self) -> Any:
        """Fork; a worker ends here and does not unwind what its parent has opened."""
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the worker lets it in when it knows what to do
        try:
            return super().spawn_worker()
        except SystemExit as ended:
            if os.getpid() == parent:
                raise
            logging.shutdown()
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def handle_int(self) -> None:
        """Ctrl-C is as graceful as SIGTERM; a second one ends it."""
        self.handle_term()


class _Worker(ThreadWorker):  # type: ignore[misc]
    def handle(self, conn: Any) -> Any:
        """Who connects and sends nothing holds a thread for a moment, then waits beside them; gunicorn would give it 5 s.

        So does who was answered: most clients send their next request at once, and to hand their connection to those who wait
        and back takes as long as to answer it.
        """
        if hasattr(conn, "wait_for_data"):
            conn.wait_for_data = lambda _: type(conn).wait_for_data(conn, _FIRST_BYTE_S)
        while True:
            kept = super().handle(conn)
            if kept is not True or not self._sends_more(conn):
                return kept

    def _sends_more(self, conn: Any) -> bool:
        """Whether the next request comes while nobody waits for a thread."""
        if not self.alive or not self.tpool._work_queue.empty():
            return False
        poll = select.poll()  # select.select knows no more than 1024 files
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(_NEXT_REQUEST_MS))

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops lets go of the socket at once, so that nobody waits there for an answer that never comes."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


def _end_while_starting(_arbiter: Any, _worker: Any) -> None:
    """Without this a worker that is told to stop before it listens to that would be waited for until it is killed."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _begin_to_work(_worker: Any) -> None:
    sys.setswitchinterval(_SWITCH_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to the workers too


class _Log(Logger):  # type: ignore[misc]
    """Gunicorn's own messages go where ours go."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
