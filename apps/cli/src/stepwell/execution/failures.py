"""Why an attempt failed, in the words that its user needs: their own traceback only, or all of it where we are to blame."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

import stepwell
from stepwell.errors import StepwellError
from stepwell.execution.records import FailureRecord

_OURS = str(Path(stepwell.__file__).parent)


def describe_failure(error: BaseException, step: str, flow_file: str) -> FailureRecord:
    """The record of a failure.

    The traceback starts at the user's first frame. An error of ours that the user can mend is one message; an error that
    never reached user code is a bug of ours, shown whole.
    """
    trace = _users_part(error.__traceback__)
    file, line = _last_line_in(trace, flow_file)
    kind = type(error).__qualname__
    where = f"{file}:{line}" if file else flow_file
    message = f"Step '{step}' failed at {where}: {_summary(error, kind)}"
    return FailureRecord(type=kind, message=message, traceback=_text(error, trace), file=file, line=line)


def _text(error: BaseException, trace: TracebackType | None) -> str:
    if isinstance(error, StepwellError) and trace is None:
        return str(error)
    shown = traceback.TracebackException(type(error), error, trace if trace is not None else error.__traceback__)
    if trace is not None and (_is_said_by_us(error) or not _is_ours(shown.stack[-1].filename)):
        shown.stack = traceback.StackSummary.from_list([frame for frame in shown.stack if not _is_ours(frame.filename)])
    return "".join(shown.format()).rstrip("\n")


def _is_said_by_us(error: BaseException) -> bool:
    """Whether our own code raises it on purpose, to tell the user of a mistake."""
    return isinstance(error, (StepwellError, AttributeError))


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS)


def _summary(error: BaseException, kind: str) -> str:
    if isinstance(error, StepwellError):
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip() or kind


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not ours; None where there is none."""
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _last_line_in(trace: TracebackType | None, flow_file: str) -> tuple[str, int]:
    """The innermost place in the flow's file, else the user's first frame."""
    found = ("", 0)
    while trace is not None:
        place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        if place[0] == flow_file or not found[0]:
            found = place
        trace = trace.tb_next
    return found
