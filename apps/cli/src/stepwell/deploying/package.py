"""The code package: what a job elsewhere needs to run a flow, as one plain zip in the content store.

The same bytes for the same files, so that it is stored once for all runs of unchanged code:

    lib/...         stepwell and all it needs, for an image that has only Python: imported from the zip itself
    unpacked/...    what of it must be files (see `runtime_archive`)
    package.json    which versions these are, and for which platform
    flow/...        the files of the flow's folder and of the folders below it
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cas_store import ContentStore, MemoryBackend

from stepwell.config import Settings
from stepwell.deploying.ignoring import SUFFIXES, chosen_files, package_suffixes
from stepwell.deploying.runtime import Platform, distributions, image_platform
from stepwell.deploying.runtime_archive import runtime_archive, zipped
from stepwell.errors import StepwellError
from stepwell.execution.stores import Stores

FLOW, INFO = "flow/", "package.json"
REQUIREMENTS = "requirements.txt"
MACHINE = "x86_64"
LIMIT_BYTES = 100 * 1024 * 1024


def upload_package(flow_file: Path, stores: Stores, settings: Settings) -> tuple[str, str]:
    """Store the package; gives its digest and the `s3://` URL (or path) under which a job finds the very bytes."""
    return _put(package_for(flow_file, settings), stores.content, stores.root)


def package_address(flow_file: Path, stores: Stores, settings: Settings) -> tuple[str, str]:
    """What `upload_package` would give; nothing is stored."""
    return _put(package_for(flow_file, settings), ContentStore(MemoryBackend()), stores.root)


def package_for(flow_file: Path, settings: Settings) -> bytes:
    """The package as the settings want it: which files of the flow's folder, for which machines."""
    return build_package(flow_file, package_suffixes(settings), settings.get("STEPWELL_BATCH_ARCHITECTURE") or MACHINE)


def _put(package: bytes, content: ContentStore, root: str) -> tuple[str, str]:
    digest = content.put(package, plain=True)
    return str(digest), f"{root}/objects/{content.location(digest)}"


def flow_files(flow_file: Path, suffixes: Sequence[str] = SUFFIXES) -> dict[str, Path]:
    """What is packaged of a flow's folder, by the path in it; raises `StepwellError` where that is more than 100 MiB."""
    folder = flow_file.parent
    requirements = [folder / REQUIREMENTS] if (folder / REQUIREMENTS).is_file() else []
    files = {path.relative_to(folder).as_posix(): path for path in [*chosen_files(folder, suffixes), *requirements]}
    total = sum(path.stat().st_size for path in files.values())
    if total > LIMIT_BYTES:
        raise StepwellError(
            f"The {', '.join(suffixes)} files in {folder} come to {total >> 20} MiB; a code package may hold "
            f"{LIMIT_BYTES >> 20}.\nMove the flow into a folder of its own, or leave files out in a .stepwellignore"
        )
    return files


def build_package(flow_file: Path, suffixes: Sequence[str] = SUFFIXES, machine: str = MACHINE) -> bytes:
    """The archive's bytes; raises `StepwellError` where the flow's folder is too large, or a library is missing."""
    target = image_platform(machine)
    files = sorted(flow_files(flow_file, suffixes).items())
    members = [(INFO, _info(target)), *((FLOW + name, path.read_bytes()) for name, path in files)]
    return zipped(iter(members), onto=runtime_archive(target))


def _info(target: Platform) -> bytes:
    versions = {name: distribution.version for name, distribution in distributions().items()}
    info = {"format": 2, "python": target.python, "machine": target.machine, "versions": versions}
    return json.dumps(info, indent=1).encode()
