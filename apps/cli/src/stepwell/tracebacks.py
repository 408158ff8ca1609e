"""Which part of a traceback is the user's: what a person sees of an error starts in their own code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import cas_store

from stepwell.errors import StepwellError


def is_ours(file: str) -> bool:
    """Whether a source file belongs to stepwell, or to what it keeps artifacts with."""
    return file.startswith(_OURS)


# As code names its file, which in a job may be an archive.
_OURS = tuple(str(Path(one.__code__.co_filename).parent) for one in (is_ours, cas_store.ObjectStore.save))


def users_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not ours; None where there is none."""
    while trace is not None and is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def last_line_in(trace: TracebackType | None, file: str) -> tuple[str, int]:
    """The innermost place in a file, else the first frame's; ("", 0) where there is no frame."""
    found = ("", 0)
    while trace is not None:
        place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        if place[0] == file or not found[0]:
            found = place
        trace = trace.tb_next
    return found


def without_ours(error: BaseException, trace: TracebackType | None, chain: bool = True) -> str:
    """An error with its traceback as Python shows it, our frames left out; `chain` shows what led to it."""
    shown = traceback.TracebackException(type(error), error, trace)
    shown.stack = traceback.StackSummary.from_list([frame for frame in shown.stack if not is_ours(frame.filename)])
    return "".join(shown.format(chain=chain)).rstrip("\n")


def located(error: StepwellError, file: str) -> str:
    """The message of an error that a flow file's own line provoked while it was being executed, with that place."""
    where, line = last_line_in(users_part(error.__traceback__), file)
    return f"{where}:{line}: {error}" if where else str(error)


def show_mistakes_in_one_line(say: Callable[[str], None]) -> None:
    """Where Python runs a flow file itself, let a mistake in a declaration end it with a message, not with a traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, StepwellError):
            say(located(error.with_traceback(trace), str(getattr(sys.modules["__main__"], "__file__", ""))))
        else:
            before(kind, error, trace)

    sys.excepthook = hook
