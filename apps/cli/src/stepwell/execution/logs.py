"""The log of an attempt: both streams in one object, one line each, with the time it was read.

stepwell-log 1
1764000000123 o a line of standard output
1764000000456 e a line of standard error
"""

from __future__ import annotations

import datetime as dt
import io
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
from cas_store import Backend, MissingObject

from stepwell.errors import RecordError
from stepwell.execution.records import task_directory

HEADER = b"stepwell-log 1\n"
STREAMS = {"o": "stdout", "e": "stderr"}
HEAD_BYTES, TAIL_BYTES = 8 * 1024 * 1024, 2 * 1024 * 1024


def print_as_logs_are_kept() -> None:
    """In a task's process: print UTF-8, and a line when it is written, not when the task ends."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


@attrs.frozen
class LogLine:
    """One line: `stream` is "stdout" or "stderr", `milliseconds` counts from the epoch."""

    milliseconds: int
    stream: str
    text: str

    @property
    def time(self) -> str:
        """When the line was read, in local time."""
        return timestamp(self.milliseconds / 1000)

    def __iter__(self) -> Iterator[Any]:
        """The pair (time, text), as in `for when, text in task.loglines("stdout")`."""
        return iter(self._pair)

    def __getitem__(self, index: int) -> Any:
        """Of the same pair, one."""
        return self._pair[index]

    def __len__(self) -> int:
        """That of a pair."""
        return 2

    @property
    def _pair(self) -> tuple[dt.datetime, str]:
        return dt.datetime.fromtimestamp(self.milliseconds / 1000), self.text


class LogBuffer:
    """Collects an attempt's lines: the first and, of more than fit, the last; those between are counted, not kept."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self._head_bytes = self._head_room = head_bytes
        self._tail_room = tail_bytes
        self._dropped = 0

    def add(self, stream: str, line: bytes) -> None:
        """Add one line of a stream ("o" or "e"), without its line break."""
        entry = b"%d %s %s\n" % (time.time() * 1000, stream.encode(), line)
        if not self._tail and not self._dropped and len(entry) <= self._head_room:
            self._head_room -= len(entry)
            self._head.append(entry)
            return
        self._tail.append(entry)
        self._tail_room -= len(entry)
        while self._tail_room < 0:
            self._tail_room += len(self._tail.popleft())
            self._dropped += 1

    def content(self) -> bytes:
        """What to store; empty where nothing was printed."""
        note = b"[stepwell: the log is full, %d lines between were left out]" % self._dropped
        between = [b"%d e %s\n" % (time.time() * 1000, note)] if self._dropped else []
        parts = [*self._head, *between, *self._tail]
        return HEADER + b"".join(parts) if parts else b""

    def beginning(self) -> bytes:
        """What `content` begins with, now and later; empty where nothing was printed."""
        return HEADER + b"".join(self._head) if self._head else b""

    @property
    def beginning_bytes(self) -> int:
        """How long `beginning` is, the header apart."""
        return self._head_bytes - self._head_room

    @property
    def last_line(self) -> str:
        """What was printed last, on any stream; empty where nothing was."""
        last = self._tail[-1] if self._tail else self._head[-1] if self._head else b""
        return last.rstrip(b"\n").split(b" ", 2)[-1].decode("utf-8", "replace")


class LineSplitter:
    """Cuts a stream of bytes into lines; a line longer than the limit is cut."""

    def __init__(self, limit_bytes: int = 1 << 20) -> None:
        self._rest = b""
        self._limit = limit_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limit:
            lines.append(self._rest)
            self._rest = b""
        return lines

    def end(self) -> list[bytes]:
        """What is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def log_name(flow: str, run_id: str, step: str, task_id: str, attempt: int) -> str:
    """The name of an attempt's log in the datastore."""
    return f"{task_directory(flow, run_id, step, task_id)}/{attempt}.log"


def encode_log(lines: Iterable[LogLine]) -> bytes:
    """A log of these lines, as the bytes to store."""
    letters = {stream: letter for letter, stream in STREAMS.items()}
    text = "".join(f"{line.milliseconds} {letters[line.stream]} {line.text}\n" for line in lines)
    return HEADER + text.encode("utf-8", "replace")


def read_log(records: Backend, name: str) -> list[LogLine]:
    """The lines of a log; none where nothing was printed. Raises `RecordError` where it is damaged."""
    try:
        data = records.read(name)
    except MissingObject:
        return []
    if not data.startswith(HEADER):
        raise RecordError(f"{name} is no log that this version of stepwell reads")
    return list(_parse(data[len(HEADER) :], name))


def _parse(data: bytes, name: str) -> Iterator[LogLine]:
    for line in data.split(b"\n")[:-1]:
        try:
            when, stream, text = line.split(b" ", 2)
            yield LogLine(int(when), STREAMS[stream.decode()], text.decode("utf-8", "replace"))
        except (ValueError, KeyError) as error:
            raise RecordError(f"The log {name} is damaged at {line[:40]!r}") from error


def timestamp(seconds: float) -> str:
    """A time as log lines show it: `2026-11-24 08:30:00.123`, local time."""
    return dt.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
