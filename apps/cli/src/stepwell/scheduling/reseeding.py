"""Random states of a fork: as different from those of its siblings as a fresh process's are.

A fresh process would make the modules' generators anew: those made without a seed differ each time, the others do not.
"""

from __future__ import annotations

import ast
import functools
import inspect
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def unseeded_generators() -> list[Any]:
    """The generators of `random` and NumPy that the modules imported so far made without a seed, at their top level."""
    kinds = (random.Random, *_numpy_kinds())
    found = {
        id(value): value
        for module in list(sys.modules.values())
        for name, value in _contents(module)
        if isinstance(value, kinds) and name in _made_without_seed(module)
    }
    return list(found.values())


def reseed(generators: list[Any]) -> None:
    """Give these generators, and the one that NumPy shares, states that nobody else has; `random` gives its own one at a fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(None)
    for generator in generators:
        if hasattr(generator, "bit_generator"):
            generator.bit_generator.state = type(generator.bit_generator)().state
        else:
            generator.seed()


def _numpy_kinds() -> tuple[type, ...]:
    numpy_random = sys.modules.get("numpy.random")
    return (numpy_random.Generator, numpy_random.RandomState) if numpy_random else ()


def _contents(module: ModuleType) -> Iterator[tuple[str, Any]]:
    yield from list(getattr(module, "__dict__", {}).items())


@functools.cache
def _made_without_seed(module: ModuleType) -> frozenset[str]:
    """The names to which a module's own lines assign what a call gives that nothing but other such calls is passed to."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError):  # no source: a module of C, of a zip, of a notebook
        return frozenset()
    return frozenset(
        target.id
        for line in tree.body
        if isinstance(line, (ast.Assign, ast.AnnAssign)) and line.value is not None and _is_call_of_nothing(line.value)
        for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
        if isinstance(target, ast.Name)
    )


def _is_call_of_nothing(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    passed = [*value.args, *(keyword.value for keyword in value.keywords)]
    return all(_is_call_of_nothing(one) or (isinstance(one, ast.Constant) and one.value is None) for one in passed)
