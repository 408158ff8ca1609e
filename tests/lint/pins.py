"""Resolve every dependency of the workspace, for all supported Pythons, and write the pins where uv and nox read them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"\nconstraint-dependencies = \[\n.*?\n\]\n", re.DOTALL)


def resolve() -> list[str]:
    """The pins, with markers where versions differ between Pythons."""
    projects = sorted(ROOT.glob("libs/*/pyproject.toml")) + sorted(ROOT.glob("apps/*/pyproject.toml"))
    files = [
        str(path.relative_to(ROOT)) for path in (*projects, ROOT / "testing/pyproject.toml", ROOT / "pyproject.toml")
    ]
    groups = [f"{path.relative_to(ROOT)}:test" for path in projects]
    groups += [f"pyproject.toml:{name}" for name in ("dev", "lint", "e2e", "bench", "docs", "release")]
    command = [os.environ.get("UV", "uv"), "pip", "compile", "--quiet", "--universal", "--python-version", "3.10"]
    command += [
        "--upgrade",
        "--all-extras",
        "--no-annotate",
        "--no-header",
        "--no-emit-index-url",
        "--no-emit-find-links",
    ]
    command += [argument for group in groups for argument in ("--group", group)]
    text = subprocess.run([*command, *files], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [line.strip() for line in text.splitlines() if re.match(r"[A-Za-z0-9._-]+==", line)]


def without_pins(text: str) -> str:
    """A pyproject.toml without its table of pins."""
    return TABLE.sub("\n", text, count=1)


def with_pins(text: str, pins: list[str]) -> str:
    """A pyproject.toml with these pins in [tool.uv]."""
    quoted = "".join(f'    "{pin}",\n' for pin in pins)
    return without_pins(text).replace(
        "[tool.uv]\npackage = false\n", f"[tool.uv]\npackage = false\nconstraint-dependencies = [\n{quoted}]\n", 1
    )


def main() -> None:
    """Write both files."""
    project = ROOT / "pyproject.toml"
    project.write_text(without_pins(project.read_text()))  # or the old pins would bind the resolution
    pins = resolve()
    project.write_text(with_pins(project.read_text(), pins))
    (ROOT / "constraints.txt").write_text("\n".join(pins) + "\n")
    print(f"{len(pins)} pins")


if __name__ == "__main__":
    main()
