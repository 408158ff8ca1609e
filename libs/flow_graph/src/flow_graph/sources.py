"""Where the source of a class is, and where in it the class is defined."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)


def functions(cls: type) -> Iterator[FunctionType]:
    """The functions written in the body of a class, under whatever decorators keep them in `__wrapped__`."""
    for value in vars(cls).values():
        while not isinstance(value, FunctionType) and "__wrapped__" in getattr(value, "__dict__", ()):
            value = value.__dict__["__wrapped__"]
        if isinstance(value, FunctionType) and value.__qualname__.startswith(f"{cls.__qualname__}."):
            yield value


def find_file(cls: type) -> str | None:
    """The file that a class was defined in, absolute where possible."""
    from pathlib import Path

    code_files = list(dict.fromkeys(function.__code__.co_filename for function in functions(cls)))
    module_file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    # A function knows its file even if its module is not in sys.modules, but a script's may be a relative path.
    absolute = [file for file in code_files if Path(file).is_absolute() and Path(file).exists()]
    return next(iter([*absolute, *([module_file] if module_file else []), *code_files]), None)


def read_source(file: str, cls: type) -> str:
    """The text of a file, or of what has no file: a notebook's cell, a module in an archive.

    Raises OSError, SyntaxError (an unknown encoding), ValueError (bytes that its encoding does not know).
    """
    from importlib.util import decode_source
    from pathlib import Path

    try:
        return decode_source(Path(file).read_bytes())
    except OSError:
        import linecache

        module = sys.modules.get(cls.__module__)
        lines = linecache.getlines(file, vars(module) if module else None)
        if not lines:
            raise
        return "".join(lines)


def find_class(tree: ast.Module, cls: type) -> ast.ClassDef | None:
    """The definition of a class; of several with one name, the one that holds its functions, else the last."""
    bodies: list[list[ast.stmt]] = [tree.body]
    found: list[Definition] = []
    for part in cls.__qualname__.replace(".<locals>", "").split("."):
        found = [
            node for body in bodies for node in statements(body) if isinstance(node, Definition) and node.name == part
        ]
        bodies = [node.body for node in found]
    classes = [node for node in found if isinstance(node, ast.ClassDef)]
    lines = [function.__code__.co_firstlineno for function in functions(cls)] if len(classes) > 1 else []
    holding = [node for node in classes if any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)]
    return next(reversed(holding or classes), None)


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, those inside `if`, `try`, `with` and loops included, in order."""
    stack = list(body)[::-1]
    while stack:
        statement = stack.pop()
        if not isinstance(statement, COMPOUND):
            yield statement
            continue
        inner: list[ast.stmt] = [*statement.body]
        for handler in getattr(statement, "handlers", []):
            inner += handler.body
        inner += [*getattr(statement, "orelse", []), *getattr(statement, "finalbody", [])]
        stack += inner[::-1]
