"""The public names, the errors, and what an import costs."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import flow_graph
import pytest
from flow_graph import FlowGraphError, errors


def test_all_is_what_is_public() -> None:
    public = {name for name, value in vars(flow_graph).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert set(flow_graph.__all__) == public - {"annotations"}
    assert len(set(flow_graph.__all__)) == len(flow_graph.__all__)


def test_all_public_names_are_documented() -> None:
    for name in flow_graph.__all__:
        value = getattr(flow_graph, name)
        if (inspect.isclass(value) or inspect.isfunction(value)) and not hasattr(value, "__origin__"):
            assert inspect.getdoc(value), name


def test_errors_have_one_base_and_are_drawn() -> None:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, FlowGraphError)]
    assert len(found) == 11
    assert set(flow_graph.__all__) >= {error.__name__ for error in found}
    for error in found:
        assert error.__name__ in str(errors.__doc__)
        assert error.retryable is False


@pytest.mark.parametrize(
    "error",
    [
        flow_graph.GraphError("Flow", [flow_graph.Finding("cycle", "What.", "How.")]),
        flow_graph.UnreadableGraph("Why."),
    ],
)
def test_errors_cross_processes(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)


def test_heavy_packages_wait_until_they_are_asked_for() -> None:
    heavy = ["networkx", "hypothesis", "cattrs", "json", "difflib", "linecache"]
    code = "import sys; before = set(sys.modules); import attrs; attrs_own = set(sys.modules) - before\nimport flow_graph\n"
    code += f"print(*[name for name in {heavy} if name in set(sys.modules) - before - attrs_own])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_the_package_is_typed() -> None:
    assert (Path(flow_graph.__file__).parent / "py.typed").exists()
