"""Packs: the records of many tasks of one step in one object, so that nobody has to read thousands.

    flows/<flow>/runs/<run>/<step>/index.pack     copies of records; a task that is not in it may be done all the same
    flows/<flow>/runs/<run>/<step>/clones.pack    what a resumed run took over: a task is done by being named in it

A pack is gzip of a header line and a line for each task: its id, a space, its whole record as the run has it that ran it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType

from cas_store import Backend, MissingObject

from stepwell.errors import RecordError

INDEX, CLONES = "index.pack", "clones.pack"
FEWEST = 16
"""From how many tasks on a pack of a step is worth its making, and its reading."""
FORMAT = 1
_IN_MEMORY_BYTES = 4 << 20
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class PackWriter:
    """Gathers records as they come; holds little of them in memory, as they are alike and are compressed at once."""

    def __init__(self) -> None:
        import tempfile

        self.count = 0
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 (closed by `content`)
        self._codec = zlib.compressobj(level=1, wbits=31)
        self._write(json.dumps({"format": FORMAT}).encode())

    def add(self, task_id: str, record: bytes) -> None:
        """Add one task's record."""
        self._write(b"%s %s" % (task_id.encode(), record))
        self.count += 1

    def content(self) -> bytes:
        """The pack; nothing can be added then."""
        with self._file as file:
            file.write(self._codec.flush())
            file.seek(0)
            return file.read()

    def _write(self, line: bytes) -> None:
        self._file.write(self._codec.compress(line + b"\n"))


def read_pack(records: Backend, name: str) -> Mapping[str, bytes]:
    """The records in a pack by task id, in the order in which they were added; nothing where there is no such pack.

    Raises `RecordError` for one that is damaged, or from a later version.
    """
    try:
        return parse_pack(records.read(name), name)
    except MissingObject:
        return _NOTHING


def parse_pack(data: bytes, name: str) -> Mapping[str, bytes]:
    """As `read_pack`, of what was read; `name` is for messages."""
    try:
        header, *lines = gzip.decompress(data).split(b"\n")[:-1]
        version = json.loads(header)["format"]
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"The pack of records {name} is damaged: {error}") from error
    if version != FORMAT:
        raise RecordError(
            f"The pack of records {name} has format {version}; this stepwell reads format {FORMAT}.\n"
            "Upgrade stepwell to read it: pip install --upgrade stepwell"
        )
    split = (line.partition(b" ") for line in lines)
    return {task_id.decode(): record for task_id, _, record in split}
