"""What the benchmarks share: whole-process timings, peers in environments of their own, ratios side by side.

Machines are noisy, so two commands are timed in turn (A B A B ...) and what is quoted is the median of each and the ratio
of the medians. CPU time (user and system, children included) is the fairer figure on a loaded machine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from backing import back_memory

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepwell-benchmarks"

# Bytecode is kept, as on a user's machine; the warm-up writes it.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@attrs.frozen
class Command:
    """A command to time; `directory` is filled with `files` (name -> text), and emptied before each run unless it is `kept`."""

    name: str
    arguments: tuple[str, ...]
    directory: Path
    files: Mapping[str, str] = attrs.field(factory=dict)
    environment: Mapping[str, str] = attrs.field(factory=dict)
    kept: bool = False

    @property
    def output(self) -> str:
        """What it wrote when it last ran."""
        return (self.directory / "output.log").read_text()


@attrs.frozen
class Timing:
    """One run, in seconds; `rss_mib` is the peak of the largest process, `began` since the epoch."""

    began: float
    wall: float
    cpu: float
    rss_mib: float


def timed(command: Command) -> Timing:
    """Run a command once; raises `RuntimeError` with its output where it fails."""
    if not command.kept:
        shutil.rmtree(command.directory, ignore_errors=True)
    command.directory.mkdir(parents=True, exist_ok=True)
    for name, text in command.files.items():
        (command.directory / name).write_text(text)
    log = command.directory / "output.log"
    back_memory()
    with log.open("wb") as output:
        began, started = time.time(), time.perf_counter()
        process = subprocess.Popen(
            command.arguments, cwd=command.directory, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env={**_ENVIRONMENT, **command.environment},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command.name} failed with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Timing(began, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(commands: Sequence[Command], runs: int, warmups: int = 1) -> list[Timing]:
    """The median timing of each command, run in turn."""
    for _ in range(warmups):
        for command in commands:
            timed(command)
    taken = [[timed(command) for command in commands] for _ in range(runs)]
    return [_median([row[place] for row in taken]) for place in range(len(commands))]


def _median(timings: Sequence[Timing]) -> Timing:
    return Timing(*(statistics.median(values) for values in zip(*map(attrs.astuple, timings), strict=True)))


def peer(*requirements: str) -> Path:
    """The interpreter of an environment that holds a peer from PyPI, made on first use."""
    folder = CACHE / "-".join(requirements).replace("=", "")
    python = folder / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *requirements], check=True)
    return python


def heading(title: str) -> None:
    """The name of a figure, and of the machine it was taken on."""
    print(f"\n## {title}  ({os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f})")


def compare(ours: Command, other: Command, timings: Sequence[Timing]) -> None:
    """Print both commands' figures and how many times the other's they are."""
    mine, theirs = timings
    for command, timing in ((ours, mine), (other, theirs)):
        print(f"{command.name:28} wall {timing.wall:8.3f} s   cpu {timing.cpu:8.3f} s   peak {timing.rss_mib:6.0f} MiB")
    print(f"{'ratio':28} wall {mine.wall / theirs.wall:8.3f} x   cpu {mine.cpu / theirs.cpu:8.3f} x")
