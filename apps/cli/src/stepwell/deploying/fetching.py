"""Fetch a package that is compiled for another platform than this one, once, with the installer that is there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stepwell.errors import StepwellError

GLIBC = "2_28"
"""The oldest C library that images may have: Debian 10, Amazon Linux 2023."""


def fetched(name: str, version: str, python: str, machine: str) -> Path:
    """The folder with the unpacked wheel; raises `StepwellError` where there is none, or nobody to fetch it."""
    folder = kept_files("wheels") / f"{name}-{version}-py{python}-{machine}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch, "files")
            _install(f"{name}=={version}", made, python, machine)
            made.rename(folder)  # whole or not at all; of two that fetch at once the second finds it taken
    return folder


def kept_files(kind: str) -> Path:
    """Where this user's files of a kind are kept, which can be made anew."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "stepwell" / kind
    except RuntimeError:
        raise StepwellError(
            "Nobody knows your home directory: set XDG_CACHE_HOME to a folder for files to keep"
        ) from None


def _install(requirement: str, folder: Path, python: str, machine: str) -> None:
    done = subprocess.run(
        [*_installer(python, machine), "--no-deps", "--target", str(folder), requirement],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StepwellError(
            f"A job in an image without stepwell needs {requirement} for Python {python} on {machine} Linux, which cannot be "
            f"fetched: {done.stderr.strip()[-500:]}\nUse an image that has stepwell (docs/your-image.md), or try again"
        )


def _installer(python: str, machine: str) -> list[str]:
    if importlib.util.find_spec("pip"):
        tag = f"manylinux_{GLIBC}_{machine}"
        older = f"manylinux2014_{machine}"
        return [
            *(sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", "--python-version", python),
            *("--platform", tag, "--platform", older),
        ]
    if uv := shutil.which("uv"):
        place = f"{machine}-manylinux_{GLIBC}"
        return [
            uv,
            "pip",
            "install",
            "-q",
            "--only-binary=:all:",
            "--python-version",
            python,
            "--python-platform",
            place,
        ]
    raise StepwellError("Fetching packages for an image's platform needs pip (python -m ensurepip) or uv")
