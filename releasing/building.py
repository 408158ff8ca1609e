"""Build a package's two distributions and look into them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

from releasing.package import Package


def build(package: Package, folder: Path) -> list[Path]:
    """Build the source distribution, and the wheel from it, as an installer without wheels would."""
    subprocess.run(["uv", "build", "-q", "-o", str(folder), str(package.folder)], check=True)
    stem = f"{package.distribution.replace('-', '_')}-{package.version}"
    return [folder / f"{stem}.tar.gz", folder / f"{stem}-py3-none-any.whl"]


def problems_of_built(package: Package, distributions: list[Path]) -> list[str]:
    """What is wrong with what was built, in words."""
    source, wheel = distributions
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, distributions)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    problems = [] if checked.returncode == 0 else [f"twine: {checked.stdout.strip()}"]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata_name,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(metadata_name).decode())
    with tarfile.open(source) as tarball:
        shipped = tarball.getnames()
    problems += [f"the wheel lacks {name}" for name in (f"{package.module}/py.typed",) if name not in names]
    problems += [f"the wheel holds {name}" for name in names if "/tests/" in name or name.endswith(".pyc")]
    problems += [
        f"the metadata lack {key}" for key in ("Summary", "Requires-Python", "License-Expression") if not metadata[key]
    ]
    problems += ["the source distribution lacks the changelog"] * (
        not any(name.endswith("/CHANGELOG.md") for name in shipped)
    )
    return problems
