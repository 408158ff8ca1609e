"""Releases: a small workspace with two packages, one of which needs the other, is changed in this way and that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.version import Version

from releasing.__main__ import main
from releasing.changes import Size, least_version
from releasing.checking import problems_at_release, standing_problems, state_of
from releasing.package import read_package, read_packages

PROJECT = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "acme-{name}"
version = "{version}"
description = "Does {name}."
readme = "README.md"
requires-python = ">=3.10"
license = "Apache-2.0"
dependencies = [{dependencies}]

[tool.hatch.build.targets.wheel]
packages = ["src/{name}"]
"""
SOURCE = '''"""Does something."""

from {name}.inside import greet

__all__ = ["greet"]
'''


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
        cwd=root, check=True, capture_output=True,
    )  # fmt: skip


def write_package(root: Path, name: str, version: str, dependencies: str = "") -> Path:
    folder = root / "libs" / name
    (folder / "src" / name).mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, version=version, dependencies=dependencies))
    (folder / "README.md").write_text(f"# acme-{name}\n\nWords.\n")
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## {version} (2026-01-01)\n\n- First version.\n")
    (folder / "src" / name / "__init__.py").write_text(SOURCE.format(name=name))
    (folder / "src" / name / "inside.py").write_text("def greet(who: str) -> str:\n    return who\n")
    (folder / "src" / name / "py.typed").touch()
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both packages, released."""
    write_package(tmp_path, "lower", "0.1.0")
    write_package(tmp_path, "upper", "1.2.0", '"acme-lower>=0.1,<0.2"')
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    git(tmp_path, "tag", "acme-lower-v0.1.0")
    git(tmp_path, "tag", "acme-upper-v1.2.0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "-qm", "Change")


def inside(root: Path, name: str) -> Path:
    return root / "libs" / name / "src" / name / "inside.py"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("released", "size", "least"),
    [
        ("0.1.4", Size.FIX, "0.1.5"),
        ("0.1.4", Size.ADDITION, "0.1.5"),
        ("0.1.4", Size.BREAKING, "0.2.0"),
        ("1.2.3", Size.FIX, "1.2.4"),
        ("1.2.3", Size.ADDITION, "1.3.0"),
        ("1.2.3", Size.BREAKING, "2.0.0"),
    ],
)
def test_the_least_version_after_a_change(released: str, size: Size, least: str) -> None:
    assert least_version(Version(released), size) == Version(least)


def test_nothing_to_release(root: Path) -> None:
    (root / "libs/lower/tests").mkdir()
    (root / "libs/lower/tests/test_it.py").write_text("# tests are not shipped\n")
    assert run("check") == (0, "")


def test_a_fix_needs_a_version_and_a_section(root: Path) -> None:
    inside(root, "upper").write_text("def greet(who: str) -> str:\n    return who.title()\n")
    commit(root)
    assert not state_of(root, read_package(root / "libs/lower")).changed
    changed = state_of(root, read_package(root / "libs/upper"))
    assert changed.changed
    assert problems_at_release(changed) == ["version 1.2.0 must be at least 1.2.1: it changed"]


def test_a_name_that_goes_is_a_breaking_change(root: Path) -> None:
    inside(root, "lower").write_text("def greet(name: str) -> str:\n    return name\n")
    commit(root)
    (problem,) = problems_at_release(state_of(root, read_package(root / "libs/lower")))
    assert "must be at least 0.2.0" in problem
    assert "greet" in problem


def test_a_range_that_shuts_out_a_sibling_is_told_at_any_time(root: Path) -> None:
    project = root / "libs/upper/pyproject.toml"
    project.write_text(project.read_text().replace(">=0.1,<0.2", "==0.3"))
    problems = standing_problems(read_package(root / "libs/upper"), read_packages(root))
    assert problems == [
        "'acme-lower==0.3' shuts out version 0.1.0 of this workspace",
        "'acme-lower==0.3' is no range of compatible versions, such as >=0.1,<0.2",
    ]


def test_bump_writes_what_a_release_asks_for(root: Path) -> None:
    source = root / "libs/upper/src/upper/__init__.py"
    source.write_text(
        SOURCE.format(name="upper").replace('["greet"]', '["greet", "leave"]')
        + '\n\ndef leave() -> None:\n    """Go."""\n'
    )
    changelog = root / "libs/upper/CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## 1.2.0", "## Unreleased\n\n- `leave`.\n\n## 1.2.0"))
    commit(root)
    assert run("bump")[0] == 0
    assert read_package(root / "libs/upper").version == Version("1.3.0")
    status, said = run("check")
    assert status == 0, said
    assert "git tag acme-upper-v1.3.0" in said


def test_what_has_to_hold_at_any_time_is_checked_without_a_release(root: Path) -> None:
    project = root / "libs/lower/pyproject.toml"
    project.write_text(project.read_text() + 'exclude = ["py.typed"]\n')
    commit(root)
    status, said = run("check", "--develop", "lower")
    assert status == 1
    assert "the wheel lacks lower/py.typed" in said
    assert "must be at least" not in said


def test_an_unknown_package(root: Path) -> None:
    status, said = run("check", "missing")
    assert status == 2
    assert "No such package: missing" in said
