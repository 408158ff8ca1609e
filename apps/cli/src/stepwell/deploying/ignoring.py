"""Which files of a flow's folder go into its code package: those with the right suffixes that no rule leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import attrs

from stepwell.config import Settings

IGNORE_FILE = ".stepwellignore"
SUFFIXES = (".py",)
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@attrs.frozen
class Rules:
    """What a `.stepwellignore` says, a pattern a line, with `*`, `?`, `[...]`, and `#` before a comment.

    One with a slash inside is matched with the path from the flow's folder, another one with each name; one that ends in a
    slash leaves out folders only.
    """

    patterns: tuple[str, ...] = ()

    def leave_out(self, path: PurePosixPath, is_folder: bool) -> bool:
        """Whether a file or folder, by its path from the flow's folder, is left out."""
        return any(_matches(pattern, path, is_folder) for pattern in self.patterns)


def _matches(pattern: str, path: PurePosixPath, is_folder: bool) -> bool:
    wanted = pattern.rstrip("/")
    if pattern.endswith("/") and not is_folder:
        return False
    return fnmatchcase(str(path) if "/" in wanted else path.name, wanted.lstrip("/"))


def read_rules(folder: Path) -> Rules:
    """The rules of a flow's folder; none where it has no such file."""
    file = folder / IGNORE_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return Rules(tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")))


def package_suffixes(settings: Settings) -> tuple[str, ...]:
    """The suffixes of what is packaged: `.py` and those that the setting adds, with commas between."""
    given = settings.get("STEPWELL_PACKAGE_SUFFIXES") or ""
    return (*SUFFIXES, *(suffix.strip() for suffix in given.split(",") if suffix.strip()))


def chosen_files(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> Iterator[Path]:
    """The files at and below a folder that end so, without hidden and environment folders and what the rules leave out."""
    rules = read_rules(folder)
    for parent, folders, files in os.walk(folder):
        place = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        folders[:] = sorted(
            name for name in folders if not _is_skipped(Path(parent, name)) and not rules.leave_out(place / name, True)
        )
        for name in sorted(files):
            if name.endswith(tuple(suffixes)) and not rules.leave_out(place / name, False):
                yield Path(parent, name)


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()
