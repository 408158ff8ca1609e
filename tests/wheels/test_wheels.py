"""Each wheel installs alone, imports with none of the others there that it may not know, and brings few things along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WHEELS = Path(os.environ["STEPWELL_WHEELS"])
BELOW = {
    "cas_store": set(),
    "flow_graph": set(),
    "meta_client": set(),
    "compute_batch": set(),
    "sched_sfn": {"flow_graph"},
    "metadata_service": set(),
    "stepwell": {"cas_store", "flow_graph", "meta_client"},
}
HEAVY = ("boto3", "networkx", "requests", "flask", "psycopg2", "numpy")


# A wheel built anew has the same name, version and place as the last one: uv must not take it from its cache.
OURS = ["stepwell" if name == "stepwell" else f"stepwell-{name.replace('_', '-')}" for name in BELOW]
ANEW = [word for name in OURS for word in ("--refresh-package", name)]


def wheel_of(package: str) -> Path:
    prefix = "stepwell" if package == "stepwell" else f"stepwell_{package}"
    (found,) = WHEELS.glob(f"{prefix}-[0-9]*.whl")
    return found


@pytest.fixture(scope="module", params=BELOW)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A package, and the interpreter of an environment that holds its wheel and what that asks for."""
    folder = tmp_path_factory.mktemp(request.param)
    run(["uv", "venv", "-q", "--python", sys.executable, str(folder)])
    python = folder / "bin" / "python"
    command = ["uv", "pip", "install", "-q", "--python", str(python), "--find-links", str(WHEELS), *ANEW]
    run([*command, str(wheel_of(request.param))])
    return request.param, python


def ask(python: Path, program: str) -> list[str]:
    return run([str(python), "-c", program]).split()


def run(command: list[str]) -> str:
    """What a command prints; one that fails is told of with all that it said."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_imports_and_the_libraries_it_must_not_know_are_absent(installed: tuple[str, Path]) -> None:
    package, python = installed
    ask(python, f"import {package}")
    program = f"import importlib.util as u; print(*(n for n in {sorted(BELOW)} if u.find_spec(n)))"
    assert set(ask(python, program)) == BELOW[package] | {package}


IMPORT_ALL = """
import importlib, pkgutil, sys
package, with_extras, extras = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
    if set(found.name.split(".")) & set(with_extras):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in extras:
            raise
"""


def test_every_module_imports_or_lacks_an_extra(installed: tuple[str, Path]) -> None:
    package, python = installed
    extras = "boto3,botocore,networkx,compute_batch,sched_sfn"
    run([str(python), "-c", IMPORT_ALL, package, "testing,__main__", extras])


def test_importing_it_loads_nothing_heavy(installed: tuple[str, Path]) -> None:
    package, python = installed
    allowed = ("flask", "psycopg2") if package == "metadata_service" else ()
    loaded = ask(python, f"import sys, {package}; print(*(n for n in {HEAVY} if n in sys.modules))")
    assert [name for name in loaded if name not in allowed] == []


def test_it_is_typed_and_says_what_it_is(installed: tuple[str, Path]) -> None:
    package, python = installed
    name = "stepwell" if package == "stepwell" else f"stepwell-{package.replace('_', '-')}"
    program = (
        f"import importlib.metadata as m, pathlib, {package}\n"
        f"found = m.metadata('{name}')\n"
        f"print(found['Version'], len(found['Description']) > 500, bool(found['Summary']), "
        f"(pathlib.Path({package}.__file__).parent / 'py.typed').exists())"
    )
    version, described, summary, typed = ask(python, program)
    assert version
    assert (described, summary, typed) == ("True", "True", "True")
