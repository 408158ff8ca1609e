"""What a class has as attributes. It is looked at, and nothing of it is executed: no property, no descriptor."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import attrs

METHODS = (FunctionType, classmethod, staticmethod)
DYNAMIC = frozenset({"__getattr__", "__getattribute__", "__setattr__"})


@attrs.frozen
class Attributes:
    """The attributes of a flow's class.

    - `flow`: the classes that are the flow's own, not the framework's: those below the one that defines `transition`.
    - `names`: all attributes there are.
    - `constants`: the flow's class-level values, parameters among them: steps read them and may not assign them.
    - `functions_of_flow`: the methods of the flow's own classes.
    - `dynamic`: one of these takes the access to attributes in its own hands.
    """

    transition: str
    flow: tuple[type, ...]
    names: frozenset[str]
    constants: tuple[str, ...]
    functions_of_flow: frozenset[str]
    dynamic: bool

    def is_flow(self, cls: type) -> bool:
        """Whether a class is one of the flow's own."""
        return cls in self.flow

    @staticmethod
    def functions(cls: type) -> list[str]:
        """The methods that a class defines itself."""
        return [name for name, value in vars(cls).items() if isinstance(value, METHODS)]


def inspect_class(cls: type, transition: str) -> Attributes:
    """The attributes of a class."""
    bases = cls.__mro__[:-1]
    border = next((index for index, base in enumerate(bases) if transition in vars(base)), len(bases))
    flow = bases[:border]
    framework = bases[border].__module__.partition(".")[0] if border < len(bases) else None
    values = {name: value for base in reversed(flow) for name, value in vars(base).items()}
    return Attributes(
        transition,
        flow,
        frozenset(name for base in cls.__mro__ for name in vars(base)),
        tuple(name for name, value in values.items() if is_constant(name, value, framework)),
        frozenset(name for base in flow for name in Attributes.functions(base)),
        any(name in vars(base) for base in flow for name in DYNAMIC),
    )


def is_constant(name: str, value: Any, framework: str | None) -> bool:
    """Whether a class-level value is a constant; of descriptors only the framework's are: its parameters."""
    if name.startswith("_") or callable(value) or isinstance(value, METHODS):
        return False
    kind = type(value)
    return not hasattr(kind, "__get__") or (kind.__module__.partition(".")[0] == framework)
