"""A container image made of this machine, as there is no registry: the running interpreter, a shell, pip packages.

The image's name is a hash of what goes into it, so that it is built once per set of packages and interpreter.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .podman import Podman

RECIPE = 4  # part of the image's name: raise it when this module changes what an image holds

TOOLS = (
    *(
        "sh",
        "dash",
        "bash",
        "env",
        "cat",
        "ls",
        "cp",
        "mv",
        "rm",
        "mkdir",
        "chmod",
        "ln",
        "touch",
        "sleep",
        "date",
        "true",
    ),
    *("false", "echo", "printf", "head", "tail", "tar", "gzip", "sed", "grep", "tee", "wc", "id", "hostname", "uname"),
    *("find", "xargs", "timeout", "sort", "cut", "tr", "test", "which", "kill", "dirname", "basename", "mktemp"),
)
DIRECTORIES = ("proc", "sys", "dev", "tmp", "run", "root", "etc", "var/tmp", "usr/local/bin", "opt")
LEFT_OUT = ("/test/", "/tests/", "/idlelib/", "/tkinter/", "/ensurepip/", "/site-packages/")
ETC = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def image_name(packages: Sequence[str]) -> str:
    """The name of the image that holds ``packages`` (pip requirements) beside this interpreter."""
    parts = [str(RECIPE), sys.version, platform.machine(), os.path.realpath(sys.base_prefix), *sorted(packages)]
    return "localhost/stepwell-rig:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def ensure_image(podman: Podman, packages: Sequence[str]) -> str:
    """Build the image unless it is there; return its name. One process builds, others wait."""
    name = image_name(packages)
    with (podman.storage / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not podman.has_image(name):
            _build(podman, name, packages)
    return name


def _build(podman: Podman, name: str, packages: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=podman.storage) as directory:
        site, archive = Path(directory, "site"), Path(directory, "rootfs.tar")
        _install(site, packages)
        with tarfile.open(archive, "w") as tar:
            _Rootfs(tar).fill(site)
        changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV LANG=C.UTF-8", "WORKDIR /root"]
        podman.run("import", *(word for change in changes for word in ("-c", change)), str(archive), name)


def _install(site: Path, packages: Sequence[str]) -> None:
    site.mkdir()
    if not packages:
        return
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(site), *packages]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "-q", "--python", sys.executable, "--compile-bytecode", "--target", str(site)]
        command += packages
    else:
        raise RuntimeError("building the rig's image needs pip in this environment, or uv on the PATH")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cannot install {' '.join(packages)} into the rig's image: {done.stderr[-2000:]}")


class _Rootfs:
    """Writes a root file system; each path once, with everything of /bin and /lib under /usr as Debian has it."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.seen: set[str] = set()

    def fill(self, site: Path) -> None:
        base = Path(os.path.realpath(sys.base_prefix))
        python = base / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        library = base / "lib" / python.name
        tools = [path for path in (Path("/usr/bin", tool) for tool in TOOLS) if path.exists()]
        self._skeleton()
        for path in [*tools, python, *_shared_libraries([*tools, python, *library.glob("lib-dynload/*.so")])]:
            self._file(path)
        self.tar.add(library, arcname=str(library).lstrip("/"), filter=_wanted)
        self.tar.add(site, arcname=str(library / "site-packages").lstrip("/"))
        for name in ("python", "python3", python.name):
            self._link(f"usr/local/bin/{name}", str(python))

    def _skeleton(self) -> None:
        for name in DIRECTORIES:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            self.tar.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            self._link(name, f"usr/{name}")
        for name, text in ETC.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            self.tar.addfile(entry, io.BytesIO(text.encode()))
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            self._file(certificates)

    def _link(self, name: str, target: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self.tar.addfile(entry)

    def _file(self, path: Path) -> None:
        name = str(path).lstrip("/")
        if name.split("/")[0] in ("bin", "lib", "lib64", "sbin"):
            name = "usr/" + name
        if name not in self.seen:
            self.seen.add(name)
            self.tar.add(path.resolve(), arcname=name)


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    unwanted = entry.name.endswith(".a") or any(part in entry.name + "/" for part in LEFT_OUT)
    return None if unwanted else entry


def _shared_libraries(programs: Iterable[Path]) -> Iterator[Path]:
    listing = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True).stdout
    found = {word for line in listing.splitlines() for word in line.split() if word.startswith("/") and word[-1] != ":"}
    yield from (Path(word) for word in sorted(found))
    # every system has these: name lookup loads them at run time, compiled packages name them
    for name in ("libnss_*", "libpthread", "libdl", "librt", "libm", "libutil", "libgcc_s", "libstdc++"):
        yield from sorted(Path("/lib").glob(f"*-linux-gnu/{name}.so.[0-9]*"))
