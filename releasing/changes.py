"""What changed in a package since its last release, and the least version that such a change asks for."""

from __future__ import annotations

import subprocess
from enum import IntEnum
from pathlib import Path

import attrs
from packaging.version import Version

from releasing.package import Package

# What a release ships: a changed test asks for no new version.
SHIPPED = ("src", "pyproject.toml", "README.md")


class Size(IntEnum):
    """How much a change asks of those who use the package."""

    FIX = 0
    ADDITION = 1
    BREAKING = 2


@attrs.frozen
class Change:
    """The change since a release: its size, and what makes it so large, in words."""

    size: Size
    reasons: tuple[str, ...]


def git(root: Path, *arguments: str) -> str:
    """What git answers."""
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def last_release(root: Path, package: Package) -> Version | None:
    """The highest version with a tag; None if the package was never released."""
    prefix = package.tag(Version("0")).removesuffix("0")
    tags = git(root, "tag", "--list", f"{prefix}*").split()
    return max((Version(tag.removeprefix(prefix)) for tag in tags), default=None)


def has_changed(root: Path, package: Package, since: Version) -> bool:
    """Whether what the package ships differs from that release."""
    paths = [str((package.folder / name).relative_to(root)) for name in SHIPPED]
    return bool(git(root, "diff", "--name-only", package.tag(since), "--", *paths))


def compare(root: Path, package: Package, since: Version) -> Change:
    """Compare the public API (what `__all__` names) with that of a release."""
    import griffe

    search = str((package.folder / "src").relative_to(root))
    old = griffe.load_git(package.module, ref=package.tag(since), repo=root, search_paths=[search])
    new = griffe.load(package.module, search_paths=[root / search])
    public = set(map(str, old.exports or ()))
    homes = [old.members[name].canonical_path for name in public if name in old.members]
    breaking = [
        breakage.explain()
        for breakage in griffe.find_breaking_changes(old, new)
        if any(f"{breakage.obj.canonical_path}.".startswith(f"{home}.") for home in homes)
    ]
    gone = sorted(public - set(map(str, new.exports or ())))
    added = sorted(set(map(str, new.exports or ())) - public)
    if breaking or gone:
        return Change(Size.BREAKING, (*breaking, *(f"{name} is no longer public" for name in gone)))
    return Change(Size.ADDITION if added else Size.FIX, tuple(f"{name} is new" for name in added))


def least_version(released: Version, size: Size) -> Version:
    """The least version that may follow a release: before 1.0, a breaking change moves the second number, all else the third."""
    major, minor, patch = (*released.release, 0, 0)[:3]
    if size is Size.BREAKING:
        return Version(f"{major + 1}.0.0" if major else f"0.{minor + 1}.0")
    if size is Size.ADDITION and major:
        return Version(f"{major}.{minor + 1}.0")
    return Version(f"{major}.{minor}.{patch + 1}")
