"""What must hold of the repository as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pins import ROOT, TABLE

PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))
BINARY = {".xz", ".png", ".pickle", ".db", ".bin"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]


def test_pins_are_the_same_for_uv_and_for_nox() -> None:
    table = TABLE.search((ROOT / "pyproject.toml").read_text())
    assert table
    in_project = re.findall(r'^    "(.*)",$', table.group(), re.MULTILINE)
    assert in_project == (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in pin for pin in in_project)


def test_no_lock_file_and_no_registry_host_is_in_the_repository() -> None:
    files = tracked()
    assert [file.name for file in files if file.name in ("uv.lock", "package-lock.json", "poetry.lock")] == []
    host = re.compile(r"https?://[\w.-]+/simple\b|registry\s*=\s*[\"']https?:|index-url\s*=\s*[\"']?https?:")
    texts = {file: file.read_text(errors="replace") for file in files if file.suffix not in BINARY}
    assert [str(file) for file, text in texts.items() if file != Path(__file__) and host.search(text)] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_has_the_same_five_entries(package: Path) -> None:
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "src", "tests"):
        assert (package / name).exists(), f"{package.name} has no {name}"
    (source,) = (path for path in (package / "src").iterdir() if path.is_dir())
    assert (source / "py.typed").exists()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_public_names_are_there_and_public(package: Path) -> None:
    """What `__all__` lists exists, once, and nothing private is in it; ruff keeps it sorted."""
    (source,) = (path for path in (package / "src").iterdir() if path.is_dir())
    module = __import__(source.name)
    names = list(module.__all__)
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("_") and name != "__version__"] == []
    assert all(getattr(module, name) is not None for name in names)


def test_changelogs_say_something() -> None:
    for package in PACKAGES:
        assert len((package / "CHANGELOG.md").read_text().splitlines()) > 3
