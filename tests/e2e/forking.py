"""Commands as forks of one process that has imported what they all import: a command takes a third of the time.

Everything else is as in a process of its own: arguments, environment, directory, output, exit status. The tests that start
`python flow.py` itself are those of `Place.succeed`.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

IMPORTED = ("boto3", "stepwell.commands.flow_cli", "stepwell.deploying.production_operating", "s3transfer.manager")


class Forking:
    """The process that is forked. A context manager."""

    def __enter__(self) -> Forking:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=240)

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run `python ...` in a folder, with an environment and no other variables."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as scratch:
            out, err = Path(scratch, "out"), Path(scratch, "err")
            asked = {
                "words": [*words],
                "folder": str(folder),
                "environment": {**environment},
                "streams": [str(out), str(err)],
            }
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                self._process.kill()
                raise subprocess.TimeoutExpired([*words], timeout)
            return subprocess.CompletedProcess(
                [*words], int(self._process.stdout.readline()), out.read_text(), err.read_text()
            )


def serve() -> None:
    """Run what the lines of standard input ask for, one after the other; say how each ended."""
    for name in IMPORTED:
        __import__(name)
    gc.freeze()  # a fork need not go through what was imported, and so copy it
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            become(**json.loads(line))
            return  # and end as a program does
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def become(words: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> None:
    """Be `python WORDS...`."""
    for number, path in enumerate([os.devnull, *streams]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    sys.path[0] = str(Path(words[0]).absolute().parent)
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    serve()
