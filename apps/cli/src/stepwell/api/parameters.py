"""Parameters: values that a run is started with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

import attrs

from stepwell.api.expressions import Names, is_late, resolve
from stepwell.errors import ParameterError

if TYPE_CHECKING:
    import click

RESERVED = frozenset(
    [
        "params",
        "with",
        "fresh",
        "tag",
        "tags",
        "namespace",
        "obj",
        "decospecs",
        "run_id_file",
        "max_num_splits",
        "max_workers",
        "max_log_size",
        "user_namespace",
        "run_id",
        "task_id",
        "runner_attribute_file",
    ]
)


class JSONType:
    """The type of a parameter whose value is any JSON: `Parameter("config", type=JSONType)`."""

    @staticmethod
    def parse(text: Any) -> Any:
        """The value of a JSON text; anything but text stays as it is."""
        return json.loads(text) if isinstance(text, str) else text


@attrs.frozen
class ParameterContext:
    """What a default function can ask: for whom and where the value is, and the flow's configs by name."""

    flow_name: str = ""
    user_name: str = ""
    parameter_name: str = ""
    ds_type: str = "local"
    logger: Callable[[str], None] = print
    configs: Names = attrs.field(factory=dict)


class Parameter:
    """A value that a run is started with, as `--name value`; steps read it as an attribute of `self`.

    `type` is `str`, `int`, `float`, `bool` or `JSONType`; without one it is the type of `default`, or of its items with
    `multiple`. A callable `default` is called once, when the run starts, with a `ParameterContext` if it takes an argument.
    `multiple` takes the option several times and gives a tuple; `separator` splits a string into a list. Raises
    `ParameterError` for a declaration that makes no sense.
    """

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: Any = None,  # noqa: A002 - the API's names
        required: bool = False,
        help: str = "",  # noqa: A002
        show_default: bool = True,
        multiple: bool = False,
        separator: str | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise ParameterError(
                f"The parameter name {name!r} must be letters, digits, - and _, and start with a letter"
            )
        if name.replace("-", "_") in RESERVED:
            raise ParameterError(f"The parameter name '{name}' is reserved for an option of `run`; choose another")
        self.name, self.default, self.required, self.help = name, default, required, help
        self.show_default, self.multiple, self.separator = show_default, multiple, separator
        self.type, self.attribute = type, name.replace("-", "_")
        if not is_late(default):
            self._settle()

    def _settle(self) -> None:
        """Find the type out, and check that what was declared fits together."""
        wanted = self.type
        self.type = wanted or self._inferred_type()
        if self.type not in TYPES:
            raise ParameterError(
                f"Parameter '{self.name}': type is one of str, int, float, bool, JSONType, not {wanted!r}"
            )
        if self.separator is not None and self.type is not str:
            raise ParameterError(f"Parameter '{self.name}': separator needs type=str")

    def ready(self, names: Names) -> Parameter:
        """The parameter itself, or one with what its declaration says of configs; raises `ConfigError`."""
        late = {field: value for field, value in vars(self).items() if is_late(value)}
        if not late:
            return self
        made = copy.copy(self)
        vars(made).update(resolve(late, names))
        made._settle()
        return made

    def _inferred_type(self) -> Any:
        if self.default is None or callable(self.default):
            return str
        values = self.default if self.multiple and isinstance(self.default, (list, tuple)) else (self.default,)
        kinds = {type(value) for value in values} or {str}
        if kinds == {int, float}:
            return float
        return kinds.pop() if len(kinds) == 1 and kinds <= {str, int, float, bool} else JSONType

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.attribute = attribute

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return instance._stepwell_context.artifacts.peek(self.attribute, owner.__name__)

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError(f"Parameter '{self.name}' cannot be changed in a step; assign another name")

    def option(self) -> click.Option:
        """The command-line option that sets the parameter."""
        import click

        kind: Any = {str: click.STRING, int: click.INT, float: click.FLOAT, bool: click.BOOL}.get(
            self.type, click.STRING
        )
        required = self.required and self.default is None
        shown = self.show_default and self.default is not None and not callable(self.default)
        return click.Option(
            [f"--{self.name}", self.attribute],
            type=kind,
            required=required,
            multiple=self.multiple,
            help=self.help + (f"  [default: {_text(self.default)}]" if shown else ""),
            envvar=[f"{tool}_RUN_{self.name.upper().replace('-', '_')}" for tool in ("STEPWELL", "METAFLOW")],
        )

    def value(self, given: Any, context: ParameterContext | None = None) -> Any:
        """The value of a run: what was given, converted, or the default. Raises `ParameterError` for a wrong one.

        `context` is what a default function is told that takes an argument.
        """
        if given is None or (self.multiple and given == ()):
            return self._default_value(context)
        if self.multiple:
            return tuple(self._convert(one) for one in given)
        return self._convert(given)

    def _default_value(self, context: ParameterContext | None) -> Any:
        default = self.default
        if callable(default):
            default = call_default(default, self.name, context)
            self._check_type(default)
        if default is None:
            return None
        return tuple(default) if self.multiple else self._convert(default)

    def _check_type(self, returned: Any) -> None:
        """A function's value is taken as it is: a number must be of the very type."""
        if self.multiple or self.separator or self.type is JSONType or returned is None:
            return
        if type(returned) is not self.type:
            kind = type(returned).__name__
            raise ParameterError(
                f"Parameter '{self.name}' takes {self.type.__name__}; its default function gave {returned!r}, a {kind}"
            )

    def _convert(self, value: Any) -> Any:
        try:
            if self.type is JSONType:
                return JSONType.parse(value)
            if self.separator is not None:
                return value.split(self.separator) if isinstance(value, str) else list(value)
            if self.type is bool and isinstance(value, str):
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
            return value if isinstance(value, self.type) else self.type(value)
        except (ValueError, TypeError, KeyError) as error:
            wanted = "JSON" if self.type is JSONType else self.type.__name__
            raise ParameterError(f"Parameter '{self.name}' takes {wanted}, not {value!r}") from error


TYPES = (str, int, float, bool, JSONType)


def call_default(default: Callable[..., Any], name: str, context: ParameterContext | None) -> Any:
    """What a default function gives, told what it may ask for; raises `ParameterError` where it fails."""
    try:
        if not _takes_argument(default):
            return default()
        return default(attrs.evolve(context or ParameterContext(), parameter_name=name))
    except Exception as error:
        raise ParameterError(
            f"Parameter '{name}': its default function failed with {type(error).__name__}: {error}"
        ) from error


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        required = [one for one in signature(function).parameters.values() if one.default is one.empty]
    except (TypeError, ValueError):  # a builtin may not say
        return False
    return any(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in required)


def values_of_run(
    declared: Mapping[str, Parameter], given: Mapping[str, Any], context: ParameterContext
) -> dict[str, Any]:
    """The values that a run starts with, by attribute name; raises `ParameterError` for the first that is wrong."""
    return {name: parameter.value(given.get(name), context) for name, parameter in declared.items()}


def _text(default: Any) -> str:
    return json.dumps(default) if isinstance(default, (dict, list)) else str(default)


def parameters(flow: type) -> dict[str, Parameter]:
    """The parameters of a flow by attribute name; raises `ParameterError` where two share an option."""
    found: dict[str, Parameter] = {}
    for cls in reversed(flow.__mro__):
        found.update({name: value for name, value in vars(cls).items() if isinstance(value, Parameter)})
    seen: dict[str, str] = {}
    for parameter in found.values():
        other = seen.setdefault(parameter.name.lower(), parameter.attribute)
        if other != parameter.attribute:
            raise ParameterError(
                f"The parameters '{other}' and '{parameter.attribute}' share the name '{parameter.name}'"
            )
    return found
