"""`IncludeFile`: a parameter that is a file's content, kept with the run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from stepwell.api.parameters import Parameter, ParameterContext
from stepwell.errors import ParameterError


class IncludeFile(Parameter):
    """A file whose content a run keeps: read when the run starts, loaded where a step asks for it.

    The option (and `default`, or what it returns) is the file's path, relative to the working directory; without one the
    value is None. Steps see text, decoded with `encoding` (UTF-8), or bytes (`is_text=False`), or what `parser`, a function
    or its dotted name, makes of that. Raises `ParameterError` for a declaration that makes no sense.
    """

    def __init__(
        self,
        name: str,
        required: bool = False,
        is_text: bool = True,
        encoding: str | None = None,
        default: Any = None,
        help: str = "",  # noqa: A002 - the API's name
        parser: Callable[[Any], Any] | str | None = None,
    ) -> None:
        super().__init__(name, default=default, type=str, required=required, help=help)
        if encoding is not None and not is_text:
            raise ParameterError(f"IncludeFile '{name}': encoding goes with is_text=True")
        if parser is not None and not callable(parser) and "." not in parser:
            raise ParameterError(f"IncludeFile '{name}': parser is a function or its dotted name, not {parser!r}")
        self.is_text, self.encoding, self.parser = is_text, encoding or "utf-8", parser

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return instance._stepwell_context.artifacts.peek(self.attribute, owner.__name__, self._parsed)

    def value(self, given: Any, context: ParameterContext | None = None) -> str | bytes | None:
        """The content of the file whose path was given; raises `ParameterError` where it cannot be read."""
        path = super().value(given, context)
        return None if path is None else self._read(Path(path).expanduser())

    def _read(self, path: Path) -> str | bytes:
        try:
            data = path.read_bytes()
            return data.decode(self.encoding) if self.is_text else data
        except OSError as error:
            raise ParameterError(
                f"Parameter '{self.name}': the file {path} cannot be read: {error.strerror}"
            ) from error
        except (UnicodeDecodeError, LookupError) as error:
            raise ParameterError(
                f"Parameter '{self.name}': the file {path} is no text in {self.encoding}: {error}\n"
                "Name its encoding=..., or declare it with is_text=False"
            ) from error

    def _parsed(self, content: Any) -> Any:
        if content is None or self.parser is None:
            return content
        return (_imported(self.parser) if isinstance(self.parser, str) else self.parser)(content)


def _imported(name: str) -> Callable[[Any], Any]:
    module, _, attribute = name.rpartition(".")
    found: Callable[[Any], Any] = getattr(import_module(module), attribute)
    return found
