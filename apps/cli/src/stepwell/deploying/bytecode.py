"""Compiled modules as they lie beside their source in a package: a job that compiled them itself would take seconds for it."""

from __future__ import annotations

import importlib.util
import marshal
import struct
import warnings

_UNCHECKED_HASH = 0b01
_WITHOUT_REFERENCES = 2
"""The version of the format in which the bytes do not depend on what else is in memory."""


def bytecode(source: bytes, name: str) -> bytes:
    """What a `.pyc` file of this Python has of a module; the same for the same source. `name` is what tracebacks show.

    Nobody looks whether it fits the source, as both are packed together.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strings with odd escapes, which are not ours to mend
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + struct.pack("<I", _UNCHECKED_HASH) + importlib.util.source_hash(source)
    return head + marshal.dumps(code, _WITHOUT_REFERENCES)
