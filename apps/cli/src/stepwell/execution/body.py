"""Run a step's body inside what its decorators put around it: a limit of time, secrets, what becomes of its failure."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from stepwell.api.caught import CaughtException
from stepwell.api.decorators.kinds import Catch, Secrets, Timeout
from stepwell.api.definition import FlowDefinition
from stepwell.api.transitions import static_transition
from stepwell.errors import TimeoutException
from stepwell.execution.context import TaskContext
from stepwell.execution.records import find_failure
from stepwell.execution.secrets import set_secrets
from stepwell.execution.wrapping import wrapped
from stepwell.tracebacks import users_part, without_ours

_SECONDS_TO_STOP = 5.0


def run_body(body: Callable[..., None], arguments: tuple[Any, ...], flow: FlowDefinition, context: TaskContext) -> None:
    """Run a step's method, or, in the attempt after the last try of a step with `@catch`, say only why it failed.

    Of a step with `@catch` the last try's exception becomes an artifact; every other exception goes on to the caller.
    """
    spec = context.spec
    catch, tries = flow.decorator(spec.step, Catch), flow.tries(spec.step)
    caught = None
    if catch and spec.attempt >= tries:
        caught = _what_ended_the_last_try(context)
    else:
        try:
            with _time_limit(flow.decorator(spec.step, Timeout), spec.step):
                if wanted := flow.decorator(spec.step, Secrets):
                    set_secrets(wanted, os.environ)
                wrapped(body, flow.wrapping.get(spec.step, ()), flow.graph[spec.step], context)(*arguments)
        except (Exception, SystemExit) as error:
            if catch is None or spec.attempt < tries - 1:
                raise
            caught = CaughtException.of(error, without_ours(error, users_part(error.__traceback__)))
    if catch:
        _take(catch, caught, body, flow, context)


def _take(
    catch: Catch, caught: CaughtException | None, body: Callable[..., None], flow: FlowDefinition, context: TaskContext
) -> None:
    instance = body.__self__  # type: ignore[attr-defined]
    if caught:
        context.transition = static_transition(flow.graph[context.spec.step])
        if catch.print_exception:
            print(f"@catch caught an exception from step {context.spec.step}:\n{caught}", file=sys.stderr, flush=True)
    if catch.var:
        setattr(instance, catch.var, caught)


def _what_ended_the_last_try(context: TaskContext) -> CaughtException:
    spec = context.spec
    said = find_failure(
        context.stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, attempt=spec.attempt - 1
    )
    if said:
        return CaughtException(said.type, said.message, said.traceback)
    died = (
        f"Step '{spec.step}' raised no exception: its process was ended in attempt {spec.attempt} of {spec.attempt}, "
        "by lack of memory, by a signal, or by a crash; its log may say more"
    )
    return CaughtException("TaskDied", died, "")


@contextlib.contextmanager
def _time_limit(timeout: Timeout | None, step: str) -> Iterator[None]:
    """Raise `TimeoutException` in here when the time is over; end the process soon after where that has no effect.

    The end is watched by a thread that needs no interpreter, so that it comes also where native code never returns.
    """
    if timeout is None:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutException(f"Step '{step}' did not end within its @timeout of {timeout.total:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, timeout.total)
    faulthandler.dump_traceback_later(timeout.total + _SECONDS_TO_STOP, exit=True, file=2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
