"""How commands speak: errors to stderr, colours only on a terminal, a progress line that leaves no trace in a pipe."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import TextIO, TypeVar

from stepwell.errors import StepwellError

T = TypeVar("T")
_OF_AWS = frozenset({"boto3", "botocore", "compute_batch", "sched_sfn"})  # what the extra brings
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REMEDIES = {
    "ForeignFile": "\nA damaged one can be made anew: move the file away, and have stepwell reindex read the datastore"
}
RED, GREEN, DIM = "31", "32", "2"


class ReaderGone(Exception):
    """Whoever read what we print wants no more of it, as `head` does."""


def has_colours(stream: TextIO) -> bool:
    """Whether a stream is shown by a terminal whose user wants colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Text in a colour, where the stream shows colours."""
    return painted(text, colour) if has_colours(stream) else text


def painted(text: str, colour: str) -> str:
    """Text in a colour."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def guarded(command: Callable[[], T]) -> T:
    """Run a command; a user's mistake ends it with one message and an exit code, a bug of ours with its traceback."""
    try:
        _ready_streams()
        return _written_out(command)
    except KeyboardInterrupt:
        say("Aborted!", sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
    except (BrokenPipeError, ReaderGone):
        _silence(sys.stdout)
        raise SystemExit(128 + signal.SIGPIPE) from None
    except StepwellError as error:
        say_error(str(error))
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _OF_AWS:
            say_error(f"This needs the package '{error.name}', which works with AWS: pip install 'stepwell[aws]'")
            raise SystemExit(1) from None
        if is_librarys(error):
            say_error(f"{error}{_REMEDIES.get(type(error).__name__, '')}")
            raise SystemExit(1) from None
        if isinstance(error, OSError) and error.errno in _FULL:
            _silence(sys.stdout)
            say_error(f"Not all of the output could be written: {error.strerror}")
            raise SystemExit(1) from None
        say(traceback.format_exc().rstrip(), sys.stderr)
        say_error("This is a bug in stepwell, not in your flow. Please report it with the traceback above")
        raise SystemExit(70) from None


def _ready_streams() -> None:
    """Give a process that was started without them its streams; text that they cannot encode is escaped."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor)
            if null > 2:
                os.close(null)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _written_out(command: Callable[[], T]) -> T:
    """Run a command until all that it printed is written."""
    try:
        return command()
    finally:
        sys.stdout.flush()


def is_librarys(error: BaseException) -> bool:
    """Whether an error comes, in words meant for people, from one of the libraries below stepwell."""
    bases = {"CasStoreError", "FlowGraphError", "MetaClientError", "ComputeBatchError", "SchedSfnError"}
    return any(cls.__name__ in bases for cls in type(error).__mro__)


def say(text: str, stream: TextIO) -> None:
    """Write a line at once. A reader who went away or a device that is full gets no more, which is no error here."""
    write(f"{text}\n", stream)


def write(text: str, stream: TextIO) -> None:
    """As `say`, with nothing added."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        _silence(stream)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            say(f"Warning: nothing more can be shown on stdout: {error.strerror}", sys.stderr)


def say_error(message: str) -> None:
    """An error, on stderr."""
    first, newline, rest = message.partition("\n")
    say(f"{paint(first, RED, sys.stderr)}{newline}{rest}", sys.stderr)


def _silence(stream: TextIO) -> None:
    """Let what is written to a stream go nowhere, at the interpreter's end too."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


class ProgressLine:
    """One line at the bottom of a terminal; nothing at all elsewhere."""

    def __init__(self, stream: TextIO, enabled: bool = True) -> None:
        self._stream = stream
        self.is_shown = enabled and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = ""
        self._next = 0.0

    def show(self, describe: Callable[[], str]) -> None:
        """Show a text instead of the last one; at most ten times a second, and no more than fits."""
        now = time.monotonic()
        if not self.is_shown or now < self._next:
            return
        self._next = now + 0.1
        text = fitting(describe(), _columns(self._stream) - 1)
        if text != self._shown:
            write(f"\r\x1b[K{text}", self._stream)
            self._shown = text

    def clear(self) -> None:
        """Take the line away, for other output."""
        if self._shown:
            write("\r\x1b[K", self._stream)
            self._shown, self._next = "", 0.0


def _columns(stream: TextIO) -> int:
    """How wide a terminal is; 80 where it does not say, or has gone away."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def fitting(text: str, columns: int) -> str:
    """A text cut to so many columns; an ellipsis says so."""
    return text if len(text) <= columns else f"{text[: max(columns - 1, 0)]}…"
