"""Every page of docs/ is followed as a reader would: its blocks in their order, in one directory.

A block of `python` whose first line is a comment that names a file is written to that file, any other is run; a block of `sh` is
run, and one marked `sh fails` has to fail. Blocks of any other language (`console`, `json`, ...) only show something.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|sh|sh fails)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w./-]+\.py)\n")


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty directory; not pytest's, as a database that root starts runs as another user, who must get there."""
    path = Path(tempfile.mkdtemp(prefix="page-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def wait_for_end(group: int) -> None:
    """Until no process of a group is left: a service stops its database before it ends, and needs its directory for that."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        os.killpg(group, 0)
        time.sleep(0.05)
    raise TimeoutError(f"process group {group} does not end")


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[[list[str]], tuple[int, str]]]:
    """Runs a command as a reader; gives its status and what it printed. What it left running ends with the test."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "STEPWELL_CONFIG_DIR": str(folder / "config"), "STEPWELL_USER": "reader"}
    started: list[int] = []

    def command(words: list[str]) -> tuple[int, str]:
        process = subprocess.Popen(
            words, cwd=folder, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process.pid)
        printed, _ = process.communicate(timeout=120)
        return process.returncode, printed

    yield command
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
            wait_for_end(pid)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_page_can_be_followed(page: Path, folder: Path, run: Callable[[list[str]], tuple[int, str]]) -> None:
    for language, text in blocks(page):
        file = FILE.match(text)
        if language == "python" and file:
            (folder / file[1]).write_text(text, encoding="utf-8")
            continue
        status, printed = run(
            [sys.executable, "-c", text] if language == "python" else ["bash", "-euo", "pipefail", "-c", text]
        )
        assert (status != 0) == (language == "sh fails"), f"{text}\n{printed}"
