"""The code package: what a job elsewhere needs to run a flow, as one archive in the content store.

A gzipped tar, the same bytes for the same files, so that it is stored once for all runs of unchanged code:

    flow/...      the Python files of the flow's folder and of the folders below it
    lib/...       stepwell and the libraries it is made of
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from cas_store import ContentStore, MemoryBackend

from stepwell.errors import StepwellError
from stepwell.execution.stores import Stores

LIBRARIES = ("stepwell", "cas_store", "flow_graph", "meta_client", "compute_batch", "sched_sfn")
# What the libraries import from elsewhere: import name -> what to install where an image lacks it.
REQUIREMENTS = {
    "attrs": "attrs>=23.2",
    "boto3": "boto3>=1.36",
    "cattrs": "cattrs>=24.1",
    "click": "click>=8.1.7",
    "requests": "requests>=2.31",
    "pyfastcdc": "pyfastcdc>=0.3,<0.4",
    "backports.zstd": "backports.zstd>=1.0; python_version<'3.14'",
}
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
LIMIT_BYTES = 100 * 1024 * 1024


def upload_package(flow_file: Path, stores: Stores) -> tuple[str, str]:
    """Store the package; gives its digest and the `s3://` URL (or path) under which a job finds the very bytes."""
    return _put(build_package(flow_file), stores.content, stores.root)


def package_address(flow_file: Path, stores: Stores) -> tuple[str, str]:
    """What `upload_package` would give; nothing is stored."""
    return _put(build_package(flow_file), ContentStore(MemoryBackend()), stores.root)


def _put(package: bytes, content: ContentStore, root: str) -> tuple[str, str]:
    digest = content.put(package, plain=True)
    return str(digest), f"{root}/objects/{content.location(digest)}"


def build_package(flow_file: Path) -> bytes:
    """The archive's bytes; raises `StepwellError` where the flow's folder holds more than 100 MiB of Python files."""
    members = {f"flow/{path.relative_to(flow_file.parent)}": path for path in python_files(flow_file.parent)}
    for library in LIBRARIES:
        folder = _folder_of(library)
        members.update({f"lib/{library}/{path.relative_to(folder)}": path for path in python_files(folder)})
    total = sum(path.stat().st_size for path in members.values())
    if total > LIMIT_BYTES:
        raise StepwellError(
            f"The Python files in {flow_file.parent} come to {total >> 20} MiB; a code package may hold {LIMIT_BYTES >> 20}.\n"
            "Move the flow into a folder of its own"
        )
    return gzip.compress(_tar(members), compresslevel=6, mtime=0)


def python_files(folder: Path) -> Iterator[Path]:
    """The Python files at and below a folder, without hidden and environment folders."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(parent, name)))
        yield from (Path(parent, name) for name in sorted(files) if name.endswith(".py"))


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def _folder_of(library: str) -> Path:
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise StepwellError(f"Running on AWS needs the library '{library}': pip install 'stepwell[aws]'")
    return Path(next(iter(spec.submodule_search_locations)))


def _tar(members: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(members):
            data = members[name].read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
