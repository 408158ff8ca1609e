"""The runtime of an image that has only Python, as the beginning of a code package: compiled once, kept, imported where it lies.

    lib/...         Python, with its bytecode: a job imports it from the archive itself
    unpacked/...    what has files beside its modules, compiled libraries or data: a job unpacks it, its modules as bytecode alone

Thousands of jobs begin with it, so what is done here once is not done there.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from stepwell.deploying.bytecode import bytecode
from stepwell.deploying.fetching import kept_files
from stepwell.deploying.runtime import Platform, runtime_files

LIB, UNPACKED = "lib/", "unpacked/"
FORMAT = 2
"""Raise it when this module makes something else of the same files."""
_READ_WHERE_THEY_LIE = (".tar.gz",)
"""Data that packages read through their loader."""
_TIME = (1980, 1, 1, 0, 0, 0)
_PACKED = (".gz", ".zip", ".xz", ".bz2", ".png", ".jpg", ".parquet")
_SECONDS_KEPT = 30 * 24 * 3600


def runtime_archive(target: Platform) -> bytes:
    """The archive, as bytes; made anew only where some file of it is not as it was."""
    files = {name: path.read_bytes() for name, path in sorted(runtime_files(target).items())}
    kept = kept_files("runtime") / f"{_key(files, target)}.zip"
    if not kept.is_file():
        _keep(kept, zipped(arranged(files)))
    return kept.read_bytes()


def arranged(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The members of the archive that has these files of a `site-packages` folder."""
    with_more = {_top(name) for name in files if not name.endswith((".py", *_READ_WHERE_THEY_LIE))}
    for name, data in files.items():
        is_module, is_unpacked = name.endswith(".py"), _top(name) in with_more
        if not (is_module and is_unpacked):
            yield (UNPACKED if is_unpacked else LIB) + name, data
        if is_module:
            yield (UNPACKED if is_unpacked else LIB) + name + "c", bytecode(data, name)


def zipped(members: Iterator[tuple[str, bytes]], onto: bytes = b"") -> bytes:
    """The members as an archive, the same for the same ones; `onto` is one that they are added to."""
    buffer = io.BytesIO(onto)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in members:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def _top(name: str) -> str:
    return name.partition("/")[0]


def _key(files: Mapping[str, bytes], target: Platform) -> str:
    whole = hashlib.sha256(f"{FORMAT} {sys.version} {target.machine}".encode())
    for name, data in files.items():
        whole.update(f"\n{name} {len(data)} ".encode())
        whole.update(data)
    return whole.hexdigest()[:32]


def _keep(file: Path, data: bytes) -> None:
    """Whole or not at all, whoever else does the same; what nobody made anew for a month goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    for old in file.parent.glob("*.zip"):
        if time.time() - old.stat().st_mtime > _SECONDS_KEPT:
            old.unlink(missing_ok=True)
    scratch = file.with_suffix(f".{time.time_ns()}")
    scratch.write_bytes(data)
    scratch.replace(file)
