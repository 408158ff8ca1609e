"""`ConfigValue`: an object of a config, read by attribute or by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


class ConfigValue(dict[str, Any]):
    """A dictionary that cannot be changed, whose items are attributes too: `cfg.model.depth`, `cfg["model"]["depth"]`.

    A key that is called as a method of dictionaries (`items`) is reached as an item only.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__({key: configured(value) for key, value in data.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(map(str, self)) or "nothing"
            raise AttributeError(f"The config has no '{name}' here; it has: {known}") from None

    def to_dict(self) -> dict[str, Any]:
        """The same as a plain dictionary, of which every part can be changed."""
        return {key: plain(value) for key, value in self.items()}

    def _refuse(self, *arguments: Any, **named: Any) -> NoReturn:
        raise TypeError("A config cannot be changed; change a copy of it: to_dict()")

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> Any:
        return ConfigValue, (self.to_dict(),)


def configured(value: Any) -> Any:
    """A value of a config as steps see it: its dictionaries are `ConfigValue`s, at every depth."""
    if isinstance(value, Mapping):
        return ConfigValue(value)
    if isinstance(value, list):
        return [configured(one) for one in value]
    return value


def plain(value: Any) -> Any:
    """The reverse of `configured`."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value
