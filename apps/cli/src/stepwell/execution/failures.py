"""Why an attempt failed, in the words that its user needs: their own traceback only, or all of it where we are to blame."""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType

from cas_store import BackendError

from stepwell.errors import StepwellError
from stepwell.execution.ran_with import ran_with
from stepwell.execution.records import FailureRecord
from stepwell.tracebacks import is_ours, last_line_in, users_part, without_ours


def describe_failure(error: BaseException, step: str, flow_file: str) -> FailureRecord:
    """The record of a failure.

    The traceback starts at the user's first frame. An error of ours that the user can mend is one message; an error that
    never reached user code is a bug of ours, shown whole.
    """
    trace = users_part(error.__traceback__)
    file, line = last_line_in(trace, flow_file)
    kind = type(error).__qualname__
    where = f"{file}:{line}" if file else flow_file
    message = f"Step '{step}' failed at {where}: {_summary(error, kind)}"
    return FailureRecord(kind, message, _text(error, trace), file, line, ran_with())


def _text(error: BaseException, trace: TracebackType | None) -> str:
    if isinstance(error, (StepwellError, BackendError)) and trace is None:
        return str(error)
    raised_by_us = trace is None or is_ours(_innermost(trace).f_code.co_filename)
    if raised_by_us and not _is_said_by_us(error):
        return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n")
    return without_ours(error, trace, chain=not isinstance(error, BackendError))


def _innermost(trace: TracebackType) -> FrameType:
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame


def _is_said_by_us(error: BaseException) -> bool:
    """Whether our own code raises it on purpose, to tell the user of a mistake."""
    return isinstance(error, (StepwellError, AttributeError, BackendError))


def _summary(error: BaseException, kind: str) -> str:
    if isinstance(error, (StepwellError, BackendError)):
        return str(error)
    return "".join(traceback.format_exception_only(type(error), error)).strip() or kind
