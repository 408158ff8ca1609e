"""What all decorators that users write share: arguments or none, known now or when the flow's configs are."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from stepwell.api.expressions import Names, is_late, resolve
from stepwell.errors import DecoratorError

if TYPE_CHECKING:
    from typing_extensions import Self


class OwnDecorator:
    """Base of a user's decorator: `@Mine` or `@Mine(x=1)`. `init` gets the arguments."""

    _attached: ClassVar[str] = ""
    _place: ClassVar[str] = ""
    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """A decorator; or, given only what it can be above (`@Mine`), that with one attached."""
        made = super().__new__(cls)
        if len(arguments) == 1 and not named and cls._can_be_above(arguments[0]):
            made.init()  # Python calls `__init__` only where the class's own instance comes back
            return made(arguments[0])
        return made

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._arguments = (arguments, named)
        if not is_late(self._arguments):
            self.init(*arguments, **named)

    def __call__(self, target: Any) -> Any:
        """Attach this decorator to what it is above."""
        if not self._can_be_above(target):
            raise DecoratorError(f"@{type(self).__name__} takes its arguments by name and goes above {self._place}")
        setattr(target, self._attached, (*vars(target).get(self._attached, ()), self))
        return target

    @classmethod
    def _can_be_above(cls, target: Any) -> bool:
        raise NotImplementedError

    def init(self, *arguments: Any, **named: Any) -> None:
        """Take the arguments; override it where there are any."""
        if arguments or named:
            raise DecoratorError(f"@{type(self).__name__} takes no arguments: define init(self, ...) to take them")

    def ready(self, names: Names) -> Self:
        """The decorator itself, or one whose arguments that speak of configs are known; raises `ConfigError`."""
        if not is_late(self._arguments):
            return self
        made = copy.copy(self)
        made._arguments = resolve(self._arguments[0], names), resolve(self._arguments[1], names)
        made.init(*made._arguments[0], **made._arguments[1])
        return made
