"""The packages of the workspace, as their pyproject.toml and CHANGELOG.md describe them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import attrs
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERSION = re.compile(r'^(version|__version__) = "[^"]*"$', re.MULTILINE)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@attrs.frozen
class Package:
    """One package; `requirements` includes those of its extras."""

    folder: Path
    distribution: str
    version: Version
    requirements: tuple[Requirement, ...]

    @property
    def source(self) -> Path:
        """The folder of the import package."""
        (found,) = (path.parent for path in self.folder.glob("src/*/py.typed"))
        return found

    @property
    def module(self) -> str:
        """The import name."""
        return self.source.name

    def tag(self, version: Version) -> str:
        """The git tag of a released version."""
        return f"{self.distribution}-v{version}"


def read_package(folder: Path) -> Package:
    """Read the package in a folder."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    requirements = tuple(Requirement(line) for line in [*project.get("dependencies", []), *extras])
    return Package(folder, project["name"], Version(project["version"]), requirements)


def read_packages(root: Path) -> list[Package]:
    """Read all packages below a root, each in a folder `*/*/` of its own."""
    return [read_package(path.parent) for path in sorted(root.glob("[!.]*/*/pyproject.toml"))]


def changelog_section(package: Package) -> tuple[str, str]:
    """Heading and text of the topmost section of a changelog; two empty texts if there is none."""
    text = (package.folder / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = list(HEADING.finditer(text))
    if not headings:
        return "", ""
    end = headings[1].start() if len(headings) > 1 else len(text)
    return headings[0][1], text[headings[0].end() : end].strip()


def write_version(package: Package, version: Version, day: str) -> None:
    """Give a package its next version, wherever it is written, and its changelog the section of that version."""
    for path in (package.folder / "pyproject.toml", package.source / "__init__.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(VERSION.sub(rf'\1 = "{version}"', text, count=1), encoding="utf-8")
    changelog = package.folder / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace("## Unreleased", f"## {version} ({day})", 1), encoding="utf-8")
