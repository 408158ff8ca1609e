"""`@exit_hook`: what is called when a run on this machine has ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, ClassVar, TypeAlias

import attrs

from stepwell.api.decorators.flows import ATTACHED, FlowDecorator, attached_to_flow
from stepwell.errors import DecoratorError

Hook: TypeAlias = Callable[..., object]


def _hooks(given: Hook | str | Iterable[Hook | str]) -> tuple[Hook | str, ...]:
    hooks = (given,) if isinstance(given, str) or callable(given) else tuple(given)
    for hook in hooks:
        if not (callable(hook) or (isinstance(hook, str) and hook)):
            raise ValueError(f"a hook is a function or the name of one, not {hook!r}")
    return hooks


@attrs.frozen
class ExitHook(FlowDecorator):
    """What is to be called when a run has ended; see `exit_hook`."""

    name: ClassVar[str] = "exit_hook"
    on_success: tuple[Hook | str, ...] = attrs.field(default=(), converter=_hooks)
    on_error: tuple[Hook | str, ...] = attrs.field(default=(), converter=_hooks)
    options: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not (self.on_success or self.on_error):
            raise ValueError("it has nothing to call: give on_success=[...], on_error=[...], or both")

    def functions(self, flow: type, successful: bool) -> list[Hook]:
        """What to call at such an end, in the order of the source; raises `DecoratorError` for a name that is none."""
        hooks = self.on_success if successful else self.on_error
        return [_found(hook, flow) if isinstance(hook, str) else hook for hook in hooks]


def exit_hook(
    *,
    on_success: Hook | str | Iterable[Hook | str] = (),
    on_error: Hook | str | Iterable[Hook | str] = (),
    options: Mapping[str, Any] | None = None,
) -> Callable[[Any], Any]:
    """Call functions when a run on this machine has ended: `on_success` or `on_error`, lists of functions or of their names.

    A name is one of the flow's file, or dotted, as in `"package.module.function"`. A function that takes an argument gets the
    run, as the Client API shows it; one that fails is told of, and changes nothing. May be repeated. `options` are of other
    places where flows run. Raises `DecoratorError` for what can be no hook.
    """
    try:
        made = ExitHook(on_success, on_error, dict(options or {}))
    except (TypeError, ValueError) as error:
        raise DecoratorError(f"@exit_hook: {error}") from error

    def decorate(flow: Any) -> Any:
        if not isinstance(flow, type):
            raise DecoratorError("@exit_hook goes above a flow's class, not above a step")
        others = [one for one in vars(flow).get(ATTACHED, ()) if not isinstance(one, ExitHook)]
        setattr(flow, ATTACHED, (*others, _with(made, attached_to_flow(flow).get(ExitHook.name))))
        return flow

    return decorate


def _with(above: ExitHook, below: Any) -> ExitHook:
    if not isinstance(below, ExitHook):
        return above
    return ExitHook((*above.on_success, *below.on_success), (*above.on_error, *below.on_error), above.options)


def _found(name: str, flow: type) -> Hook:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module) if module else sys.modules[flow.__module__], attribute)
    except (ImportError, AttributeError) as error:
        raise DecoratorError(f"@exit_hook of flow '{flow.__name__}': there is no function '{name}': {error}") from error
    if not callable(found):
        raise DecoratorError(f"@exit_hook of flow '{flow.__name__}': '{name}' is no function")
    hook: Hook = found
    return hook
