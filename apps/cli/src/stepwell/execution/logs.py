"""The log of an attempt: both streams in one object, one line each, with the time it was read.

stepwell-log 1
1764000000123 o a line of standard output
1764000000456 e a line of standard error
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import attrs
from cas_store import Backend, MissingObject

from stepwell.errors import RecordError
from stepwell.execution.records import task_directory

HEADER = b"stepwell-log 1\n"
STREAMS = {"o": "stdout", "e": "stderr"}
LIMIT_BYTES = 10 * 1024 * 1024


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
        yield dt.datetime.fromtimestamp(self.milliseconds / 1000)
        yield self.text


class LogBuffer:
    """Collects an attempt's lines up to a limit; what is beyond it is counted, not kept."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._parts: list[bytes] = []
        self._room = limit_bytes
        self._dropped = 0

    def add(self, stream: str, line: bytes) -> None:
        """Add one line of a stream ("o" or "e"), without its line break."""
        entry = b"%d %s %s\n" % (time.time() * 1000, stream.encode(), line)
        if len(entry) > self._room:
            self._dropped += 1
            return
        self._room -= len(entry)
        self._parts.append(entry)

    def content(self) -> bytes:
        """What to store; empty where nothing was printed."""
        if not self._parts:
            return b""
        if self._dropped:
            note = b"[stepwell: the log is full, %d more lines were left out]" % self._dropped
            return HEADER + b"".join(self._parts) + b"%d e %s\n" % (time.time() * 1000, note)
        return HEADER + b"".join(self._parts)


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
