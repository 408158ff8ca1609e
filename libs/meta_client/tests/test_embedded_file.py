"""The file of an embedded store: made where missing, shared by processes, refused unchanged where it is not ours."""

import contextlib
import functools
import os
import resource
import signal
import sqlite3
import tempfile
import threading
from pathlib import Path

import attrs
import pytest
from meta_client import (
    Conflict,
    EmbeddedStore,
    ForeignFile,
    MetaClientError,
    Metadatum,
    NotFound,
    SchemaTooNew,
    Step,
    StorageFailure,
    StoreBusy,
    Task,
    open_store,
)
from processes import contents, in_child, outputs, python

FILES_OF_PROCESS = Path("/proc/self/fd")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def store(path):
    with EmbeddedStore(path) as store:
        yield store


def later(seconds):
    return lambda: 1_800_000_000 + seconds


# made and opened


def test_the_file_and_its_directories_are_made(tmp_path):
    path = tmp_path / "some" / "where" / "metadata.db"
    with EmbeddedStore(path) as store:
        assert store.path == path
    assert path.is_file()


@pytest.mark.parametrize("slashes", ["sqlite://", "sqlite:///"])
def test_a_url_names_an_absolute_path_as_it_is(tmp_path, slashes):
    path = tmp_path / "a b%20c?d#e" / "metadata.db"
    with open_store(f"{slashes}{path}") as store:
        assert isinstance(store, EmbeddedStore)
        store.create_flow("F")
    assert path.is_file()


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with EmbeddedStore("metadata.db") as store:
        store.create_flow("F")
    assert (tmp_path / "metadata.db").is_file()


def test_nothing_is_made_unless_wanted(path):
    with pytest.raises(StorageFailure, match="no such file"):
        EmbeddedStore(path, create=False)
    assert not path.exists()


def test_what_was_written_is_there_when_the_file_is_opened_again(path):
    with EmbeddedStore(path) as store:
        run = store.create_run("F", tags=["a"])
    with EmbeddedStore(path, create=False) as store:
        assert store.get_run("F", run.run_id) == run


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    with EmbeddedStore(path) as store:
        assert store.list_flows() == []


# refused, unchanged


@pytest.mark.parametrize("content", [b"hello, world", b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 5000], ids=len)
def test_a_file_of_something_else_is_refused_unchanged(tmp_path, path, content):
    path.write_bytes(content)
    before = contents(tmp_path)
    with pytest.raises(ForeignFile, match="no readable metadata store"):
        EmbeddedStore(path)
    assert contents(tmp_path) == before


def test_a_database_of_something_else_is_refused_unchanged(tmp_path, path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    before = contents(tmp_path)
    with pytest.raises(ForeignFile, match="something else"):
        EmbeddedStore(path)
    assert contents(tmp_path) == before


def test_a_file_of_a_later_version_is_refused_unchanged(tmp_path, path):
    with EmbeddedStore(path) as store:
        store.create_flow("F")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = contents(tmp_path)
    with pytest.raises(SchemaTooNew, match="upgrade stepwell-meta-client") as caught:
        EmbeddedStore(path)
    assert (caught.value.have, caught.value.supported) == (99, 2)
    assert contents(tmp_path) == before


def test_a_damaged_file_is_told(path):
    with EmbeddedStore(path) as store:
        for number in range(50):
            store.create_run(f"F{number}")
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    with pytest.raises(ForeignFile, match="no readable metadata store"), EmbeddedStore(path) as store:
        store.list_flows()


def test_a_directory_is_no_store(tmp_path):
    with pytest.raises(StorageFailure, match="check that the directory exists"):
        EmbeddedStore(tmp_path)


def test_where_no_directory_can_be_made_there_is_no_store(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailure, match="its directory cannot be made"):
        EmbeddedStore(tmp_path / "file" / "below" / "metadata.db")


@pytest.mark.parametrize("exists", [False, True])
def test_in_a_directory_that_cannot_be_written_there_is_no_store(exists):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if exists:
            EmbeddedStore(directory / "metadata.db").close()
        directory.chmod(0o555)
        met = in_child(lambda: _write(directory / "metadata.db"), without_privileges=True)
        directory.chmod(0o755)
    assert met.startswith("StorageFailure")
    assert "writable" in met


def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(path):
    EmbeddedStore(path).close()

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        acknowledged = 0
        with EmbeddedStore(path) as store:
            try:
                while acknowledged < 1000:
                    store.create_run("F", tags=["x" * 5000])
                    acknowledged += 1
            except StorageFailure as error:
                return f"{acknowledged} {error.retryable}"
        return "it never filled"

    acknowledged, retryable = in_child(fill).split()
    assert (int(acknowledged) > 0, retryable) == (True, "True")
    with EmbeddedStore(path) as store:
        assert len(list(store.list_runs("F"))) == int(acknowledged)
        store.create_run("F")


# shared


def test_processes_that_make_the_file_at_once_all_get_one(path):
    code = """
import sys
from meta_client import EmbeddedStore
sys.stdin.readline()
with EmbeddedStore(sys.argv[1]) as store:
    print(store.create_run("F").run_id)
"""
    processes = [python(code, path, stdin=-1) for _ in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(map(int, outputs(processes))) == [1, 2, 3, 4]


def test_a_file_that_another_makes_between_two_looks_is_no_foreign_one(path, monkeypatch):
    making = threading.Thread(target=lambda: EmbeddedStore(path).close())

    class Watched(sqlite3.Connection):
        def execute(self, statement, *values):
            found = super().execute(statement, *values)
            if statement == "PRAGMA application_id" and not making.ident:
                rows = found.fetchall()
                monkeypatch.undo()
                making.start()
                making.join(0.5)  # it may have to wait for us
                return super().execute("SELECT ?", rows[0])
            return found

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Watched))
    with EmbeddedStore(path) as store:
        making.join()
        assert store.create_run("F").run_id == 1


def test_processes_that_write_at_once_lose_nothing(path):
    code = """
import sys
from meta_client import Artifact, EmbeddedStore, Metadatum, Step, Task
path, name = sys.argv[1:]
with EmbeddedStore(path) as store:
    for number in range(40):
        place = dict(flow_id="F", run_id="1", step_name=f"s{number % 5}", task_id=f"{name}-{number}")
        step = Step(flow_id="F", run_id="1", step_name=place["step_name"])
        store.register_many([step, Task(**place), Artifact(name="x", **place), Metadatum(field_name="f", value="v", **place)])
        store.mutate_tags(store.get_run("F", 1), add=[f"{name}-{number}"])
"""
    with EmbeddedStore(path) as store:
        run = store.create_run("F")
        outputs([python(code, path, name) for name in "abc"])
        expected = {f"{name}-{number}" for name in "abc" for number in range(40)}
        tasks = [task for step in store.list_steps("F", 1) for task in store.list_tasks("F", 1, step.step_name)]
        assert {task.task_id for task in tasks} == expected
        assert set(store.get_run("F", 1).tags) == expected
        assert len(store.list_metadata(run)) == len(expected)
        assert all(len(store.list_artifacts(task)) == 1 for task in tasks)


def test_readers_never_wait_and_writers_only_so_long(path):
    with EmbeddedStore(path, busy_timeout=0.2) as store:
        store.create_flow("F")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert store.get_flow("F").flow_id == "F"
        with pytest.raises(StoreBusy, match=r"locked for 0\.2 s") as caught:
            store.create_run("F")
        assert caught.value.retryable
        other.execute("COMMIT")
        other.close()
        assert store.create_run("F").run_id == 1


def test_nothing_is_written_into_a_file_that_was_removed(store, path):
    path.unlink()
    for problem in ("removed or replaced", "no such file"):
        with pytest.raises(StorageFailure, match=problem):
            store.create_run("F")


def test_after_a_file_was_replaced_the_new_one_is_used(tmp_path, store, path):
    store.create_run("F")
    _backup_of_a_run(tmp_path / "other").replace(path)
    for leftover in tmp_path.glob("metadata.db-*"):
        leftover.unlink()
    with pytest.raises(StorageFailure, match="removed or replaced"):
        store.create_run("F")
    assert store.create_run("F").run_id == 2


def test_a_relative_path_means_the_same_file_when_the_process_goes_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with EmbeddedStore("metadata.db") as store:
        monkeypatch.chdir("/")
        assert store.create_run("F").run_id == 1


def test_a_restored_backup_is_shared_like_the_original(tmp_path):
    copy = _backup_of_a_run(tmp_path)
    with (
        EmbeddedStore(copy) as reader,
        EmbeddedStore(copy, busy_timeout=0.2) as writer,
        reader._file.reading() as connection,
    ):
        connection.execute("SELECT * FROM runs").fetchone()
        assert writer.create_run("F").run_id == 2


def test_a_restored_backup_that_may_only_be_read_is_read():
    with tempfile.TemporaryDirectory() as name:
        copy = _backup_of_a_run(Path(name))
        for each in (copy, copy.parent):
            each.chmod(0o555)
        met = in_child(lambda: EmbeddedStore(copy, create=False).get_run("F", 1).pathspec, without_privileges=True)
        copy.parent.chmod(0o755)
    assert met == "F/1"


def _backup_of_a_run(directory):
    """Made by VACUUM INTO, which leaves write-ahead logging off."""
    copy = directory / "restored.db"
    with EmbeddedStore(directory / "metadata.db") as store:
        store.create_run("F")
    with contextlib.closing(sqlite3.connect(directory / "metadata.db")) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    return copy


def test_an_error_amid_a_batch_leaves_nothing_of_it(store):
    run = store.create_run("F")
    place = {"flow_id": "F", "run_id": run.run_id, "step_name": "train"}
    with pytest.raises(NotFound, match="task F/1/train/t9"):
        store.register_many(
            [Step(**place), Task(**place, task_id="t0"), Metadatum(field_name="f", value="v", **place, task_id="t9")]
        )
    assert store.list_steps("F", run.run_id) == []


def test_a_fork_may_happen_while_a_thread_writes(store):
    import threading

    stop = threading.Event()
    run = store.create_run("F")

    def write():
        while not stop.is_set():
            store.heartbeat(run)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        met = [in_child(lambda: str(store.create_run("F").run_id)) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert met == ["2", "3", "4", "5", "6"]


@pytest.mark.skipif(not FILES_OF_PROCESS.is_dir(), reason="this system does not list a process's files")
def test_no_file_is_shared_with_a_fork(store, path):
    store.create_flow("F")
    assert path.name in _open_files()
    assert path.name not in in_child(_open_files)
    assert store.get_flow("F").flow_id == "F"


# time


def test_a_run_that_falls_silent_has_failed(path):
    with EmbeddedStore(path, clock=later(0)) as store:
        run = store.create_run("F")
    for seconds, status in [(360, "running"), (362, "failed")]:
        with EmbeddedStore(path, clock=later(seconds)) as store:
            assert [each.status for each in store.list_runs("F", status=status)] == [status]
            other = {"running": "failed", "failed": "running"}[status]
            assert list(store.list_runs("F", status=other)) == []
    with EmbeddedStore(path, clock=later(900)) as store:
        store.heartbeat(run)
        assert [each.run_id for each in store.list_runs("F", status="running")] == [run.run_id]


@pytest.mark.parametrize("how", ["created", "registered", "beating"])
def test_a_task_that_comes_or_beats_keeps_its_run_alive(path, how):
    place = {"flow_id": "F", "run_id": 1, "step_name": "train"}
    with EmbeddedStore(path, clock=later(0)) as store:
        store.create_run("F")
        store.create_step("F", 1, "train")
        task = store.create_task("F", 1, "train", "t0")
    with EmbeddedStore(path, clock=later(500)) as store:
        if how == "created":
            store.create_task("F", 1, "train", "t1")
        elif how == "registered":
            store.register_many([Task(**place, task_id="t1")])
        else:
            store.heartbeat(task)
        assert [run.status for run in store.list_runs("F", status="running")] == ["running"]


def test_runs_of_one_age_come_by_number_and_from_all_pages(path):
    with EmbeddedStore(path, clock=later(0)) as store:
        made = [store.create_run("F", tags=["even"] if number % 2 else []).run_id for number in range(450)]
        assert [run.run_id for run in store.list_runs("F")] == made[::-1]
        assert [run.run_id for run in store.list_runs("F", tags=["even"])] == made[::-2]
        assert [run.run_id for run in store.list_runs("F", limit=201)] == made[:-202:-1]


def test_runs_may_be_made_while_they_are_listed(store):
    made = [store.create_run("F").run_id for _ in range(300)]
    listed = []
    for run in store.list_runs("F"):
        listed.append(run.run_id)
        if len(listed) % 50 == 0:
            store.create_run("F")
    assert listed == made[::-1]


def test_bad_values_in_records_are_refused_and_not_sqlites(store):
    task = Task(flow_id="F", run_id=1, step_name="s", task_id="t")
    for bad in (
        attrs.evolve(task, flow_id="half \ud800"),
        attrs.evolve(task, run_id=-1),
        attrs.evolve(task, task_id=None),
    ):
        for call in (store.heartbeat, store.list_metadata, store.list_artifacts):
            with pytest.raises(MetaClientError):
                call(bad)


def _open_files() -> str:
    return " ".join(str(link.resolve()) for link in FILES_OF_PROCESS.iterdir())


def _write(path: Path) -> str:
    with EmbeddedStore(path, busy_timeout=1) as store:
        return f"wrote {store.create_run('F').run_id} as {os.geteuid()}"


def test_a_file_of_version_1_is_brought_to_the_latest(tmp_path, path):
    with EmbeddedStore(path) as store:
        store.create_run("F", run_id="named")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE deleted_runs")
        connection.execute("PRAGMA user_version = 1")
    with EmbeddedStore(path) as store:
        store.delete_run("F", "named")
        with pytest.raises(Conflict):
            store.create_run("F", run_id="named")
