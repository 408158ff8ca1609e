"""Flows written to files, and the profiles of the property tests: `--hypothesis-profile thorough` takes its time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from flow_graph import FlowGraph, read_class
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("flow_graph", deadline=None, max_examples=100, suppress_health_check=SLOW)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=SLOW)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("flow_graph")


FRAMEWORK = """
def step(f=None, **flags):
    return f or (lambda f: f)

def mark(*arguments, **options):
    return lambda f: f

parallel = retry = mark()

class Parameter:
    def __get__(self, instance, owner):
        raise AssertionError("read_class executes nothing")

class FlowSpec:
    kind = "a framework's own"

    @property
    def input(self):
        raise AssertionError("read_class executes nothing")

    def next(self, *targets, **options): ...
    def merge_artifacts(self, inputs, exclude=(), include=()): ...
"""
numbers = count()


@pytest.fixture
def define(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., type]]:
    """Writes a module that defines `Flow`, and imports it; the framework is in a module of its own."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    framework = f"framework{next(numbers)}"
    (tmp_path / f"{framework}.py").write_text(FRAMEWORK)

    def define(source: str, name: str | None = None) -> type:
        module = name or f"flow{next(numbers)}"
        file = tmp_path / f"{module}.py"
        file.write_text(f"from {framework} import *\n{source}", encoding="utf-8")
        importlib.invalidate_caches()
        flow: type = importlib.import_module(module).Flow
        return flow

    yield define
    for module in set(sys.modules) - before:
        if module.startswith(("flow", "framework")) and not module.startswith("flow_graph"):
            del sys.modules[module]


@pytest.fixture
def read(define: Callable[..., type]) -> Callable[[str], FlowGraph]:
    """Reads the graph of a class `Flow`, given the source of its module."""
    return lambda source: read_class(define(source))
