"""How commands speak: errors to stderr, colours only on a terminal, a progress line that leaves no trace in a pipe."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import TextIO, TypeVar

from stepwell.errors import StepwellError

T = TypeVar("T")
RED, GREEN, DIM = "31", "32", "2"


def has_colours(stream: TextIO) -> bool:
    """Whether a stream is shown by a terminal whose user wants colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Text in a colour, where the stream shows colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if has_colours(stream) else text


def guarded(command: Callable[[], T]) -> T:
    """Run a command; a user's mistake ends it with one message and an exit code, a bug of ours with its traceback."""
    try:
        return command()
    except KeyboardInterrupt:
        print("Aborted!", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        _silence_stdout()
        raise SystemExit(141) from None
    except StepwellError as error:
        say_error(str(error))
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if is_librarys(error):
            say_error(str(error))
            raise SystemExit(1) from None
        traceback.print_exc()
        say_error("This is a bug in stepwell, not in your flow. Please report it with the traceback above")
        raise SystemExit(70) from None


def is_librarys(error: BaseException) -> bool:
    """Whether an error comes, in words meant for people, from one of the libraries below stepwell."""
    bases = {"CasStoreError", "FlowGraphError", "MetaClientError", "ComputeBatchError", "SchedSfnError"}
    return any(cls.__name__ in bases for cls in type(error).__mro__)


def say_error(message: str) -> None:
    """An error, on stderr."""
    first, _, rest = message.partition("\n")
    print(paint(first, RED, sys.stderr), *([rest] if rest else []), sep="\n", file=sys.stderr, flush=True)


def _silence_stdout() -> None:
    """The reader of our output went away: do not let the interpreter complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class ProgressLine:
    """One line at the bottom of a terminal; nothing at all elsewhere."""

    def __init__(self, stream: TextIO, enabled: bool = True) -> None:
        self._stream = stream
        self._active = enabled and stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = ""
        self._next = 0.0

    def show(self, text: str) -> None:
        """Show a text instead of the last one; at most ten times a second."""
        now = time.monotonic()
        if self._active and text != self._shown and now >= self._next:
            width = os.get_terminal_size(self._stream.fileno()).columns or 80
            self._stream.write(f"\r\x1b[K{text[: width - 1]}")
            self._stream.flush()
            self._shown, self._next = text, now + 0.1

    def clear(self) -> None:
        """Take the line away, for other output."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown, self._next = "", 0.0
