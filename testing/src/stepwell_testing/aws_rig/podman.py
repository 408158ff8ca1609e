"""podman on a machine that may be a container itself: its own storage, limits it can have, a service on a socket.

Three things are worked around, each seen on hosts without CAP_SYS_RESOURCE or with both cgroup versions mounted:

- podman as root asks for RLIMIT_NOFILE 1048576 and is refused: ask for the limits this process has;
- podman lowers its own RLIMIT_NPROC to ``kernel.pid_max`` first, so the limit asked for must not exceed that;
- crun refuses a "hybrid" cgroup host, even with cgroups disabled: hide the v2 mount in a private mount namespace. podman
  knows runtimes by the name of their file, hence a wrapper that is called ``crun``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CRUN_WRAPPER = """#!/bin/sh
if [ -d /sys/fs/cgroup/unified ]; then
  exec unshare -m --propagation private /bin/sh -c \\
    'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"' {crun} "$@"
fi
exec {crun} "$@"
"""

CONFIGURATION = """[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
cgroups = "disabled"
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

OWNER_LABEL = "stepwell-rig-owner"
SECONDS_TO_START = 240

_LIBC = ctypes.CDLL(
    None, use_errno=True
)  # loaded before any fork: loading it in the child of a threaded process may hang


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Have the kernel signal this process when the thread that started it ends (Linux; PR_SET_PDEATHSIG is 1)."""
    _LIBC.prctl(1, int(signum))


def podman_available() -> bool:
    """Whether podman and crun are installed."""
    return bool(shutil.which("podman") and shutil.which("crun"))


class Podman:
    """podman with private image storage under ``storage``, shared by all rigs that name the same directory."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        storage.mkdir(parents=True, exist_ok=True)
        self._configuration = self._write(storage / "containers.conf", _configuration())
        self._runtime = self._write(storage / "runtime" / "crun", CRUN_WRAPPER.format(crun=shutil.which("crun")))

    @staticmethod
    def _write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            temporary = path.with_name(f"{path.name}.{os.getpid()}")
            temporary.write_text(text)
            temporary.chmod(0o755)
            temporary.replace(path)
        return path

    @property
    def command(self) -> list[str]:
        """The podman command line up to the subcommand."""
        roots = ["--root", str(self.storage / "images"), "--runroot", str(self.storage / "run")]
        return ["podman", "--runtime", str(self._runtime), *roots, *_DRIVERS]

    @property
    def environment(self) -> dict[str, str]:
        """The environment every podman process needs."""
        return {**os.environ, "CONTAINERS_CONF": str(self._configuration)}

    def run(self, *arguments: str) -> str:
        """Run one subcommand and return what it printed; RuntimeError with podman's own words if it fails."""
        done = subprocess.run([*self.command, *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"podman {arguments[0]} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def has_image(self, name: str) -> bool:
        """Whether the image is in the storage."""
        with contextlib.suppress(RuntimeError):
            self.run("image", "exists", name)
            return True
        return False

    def remove_containers(self, owner: int) -> None:
        """Kill and remove the containers that the server process ``owner`` started."""
        identifiers = self.run("ps", "-a", "-q", "--filter", f"label={OWNER_LABEL}={owner}").split()
        if identifiers:
            self.run("rm", "-f", "-t", "0", *identifiers)

    def remove_orphans(self) -> None:
        """Kill and remove containers whose server process is gone: a server that was killed leaves them running."""
        owners = self.run("ps", "-a", "--format", f'{{{{index .Labels "{OWNER_LABEL}"}}}}').split()
        for owner in {int(word) for word in owners if word.isdigit()}:
            if not Path(f"/proc/{owner}").exists():
                self.remove_containers(owner)

    def serve(self, directory: Path) -> tuple[subprocess.Popen[bytes], str]:
        """Start podman's Docker API; return the process and its address. It dies with the calling thread."""
        path = directory / "podman.sock"
        log = directory / "podman.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [*self.command, "system", "service", "--time=0", f"unix://{path}"],
                env=self.environment, stdout=sink, stderr=sink, start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return process, f"unix://{path}"
            time.sleep(0.05)
        process.kill()
        raise RuntimeError(f"podman's service did not start: {log.read_text()[-2000:]}")


_DRIVERS = ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]


def _configuration() -> str:
    nofile = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    nproc = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text())
    return CONFIGURATION.format(nofile=nofile, nproc=pid_max if nproc < 0 else min(nproc, pid_max))
