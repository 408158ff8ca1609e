"""Load a flow file as `__main__`, however it was started, so that its classes have one name everywhere.

`python flow.py ...`, `stepwell run flow.py ...` and a task's fresh interpreter all execute the file as `__main__`: a pickled
class of the flow file is `__main__.Name` on every row. While stepwell loads a file, constructing the flow only
announces it; when Python runs the file itself, it hands over to the command line.
"""

from __future__ import annotations

import atexit
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.errors import FlowFileError, StepwellError
from stepwell.suggesting import did_you_mean
from stepwell.terminal import say_error
from stepwell.tracebacks import located, users_part, without_ours

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec

_constructed: list[type[FlowSpec]] | None = None
_handed_over = False


def flow_defined(cls: type[FlowSpec]) -> None:
    """A flow's class was defined: where Python runs its file with a command, tell at the end if nothing constructed it."""
    if (
        cls.__module__ == "__main__"
        and _constructed is None
        and sys.argv[1:2]
        and sys.argv[1] in ("run", "resume", "check")
    ):
        atexit.register(_tell_of_no_construction, cls, flow_file(cls))


def _tell_of_no_construction(cls: type[FlowSpec], file: Path) -> None:
    if not _handed_over and not hasattr(sys, "last_value"):  # nor did an error end the file before
        say_error(
            f"{file} defines the flow {cls.__name__} and ended without running it. Let this be its end:\n\n"
            f'if __name__ == "__main__":\n    {cls.__name__}()\n\nor run it with: stepwell {sys.argv[1]} {file.name}'
        )


def flow_constructed(cls: type[FlowSpec]) -> None:
    """A flow file constructed its flow: announce it to the loader, or run the command line."""
    global _handed_over
    if _constructed is not None:
        _constructed.append(cls)
        return
    _handed_over = True
    from stepwell.commands.flow_cli import main

    main(cls, flow_file(cls))


def flow_file(cls: type[FlowSpec]) -> Path:
    """The file that defines a flow."""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        raise FlowFileError(f"Flow {cls.__name__} is defined in no file: write it into one, and run that")
    return Path(file).resolve()


def load_flow(path: Path) -> type[FlowSpec]:
    """Execute a file as `__main__` and give its flow; raises `FlowFileError` where there is not exactly one."""
    global _constructed
    source = _read(path)
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    sys.path.insert(0, str(path.parent))
    _constructed = []
    try:
        _execute(_compile(source, path), module, str(path))
        return _the_flow(_constructed, module, path)
    finally:
        _constructed = None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        beside = [one.name for one in path.parent.glob("*.py")]
        raise FlowFileError(f"There is no file {path}.{did_you_mean(path.name, beside)}".rstrip(".")) from None
    except IsADirectoryError:
        raise FlowFileError(f"{path} is a directory; name the flow's Python file") from None
    except OSError as error:
        raise FlowFileError(f"{path} cannot be read: {error.strerror}") from error


def _compile(source: bytes, path: Path) -> types.CodeType:
    try:
        return compile(source, str(path), "exec")
    except SyntaxError as error:
        raise FlowFileError(f"{path}:{error.lineno}: this is no Python: {error.msg}") from None
    except ValueError as error:
        raise FlowFileError(f"{path} is no Python file: {error}") from None


def _execute(code: types.CodeType, module: types.ModuleType, path: str) -> None:
    try:
        exec(code, module.__dict__)
    except StepwellError as error:
        raise FlowFileError(located(error, path)) from None
    except Exception as error:
        shown = without_ours(error, users_part(error.__traceback__))
        raise FlowFileError(f"{path} cannot be imported: {type(error).__name__}: {error}\n{shown}") from None


def _the_flow(constructed: list[type[FlowSpec]], module: types.ModuleType, path: Path) -> type[FlowSpec]:
    from stepwell.api.flowspec import FlowSpec

    defined = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, FlowSpec) and value.__module__ == "__main__"
    ]
    found = list(dict.fromkeys(constructed)) or defined
    if not found:
        raise FlowFileError(
            f"{path} is no flow: it defines no subclass of FlowSpec.\nStart with: from stepwell import FlowSpec, step"
        )
    if len(found) > 1:
        names = ", ".join(cls.__name__ for cls in found)
        raise FlowFileError(
            f"{path} has several flows ({names}): construct the one to run under if __name__ == '__main__'"
        )
    return found[0]
