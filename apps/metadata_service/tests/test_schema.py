"""Migrations: every step on a database in use, foreign databases left alone, and what each schema version can serve."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from metadata_service import Settings, create_app, schema
from metadata_service.errors import DatabaseFailure, ForeignSchema, SchemaTooNew
from metadata_service.pool import Connection, connect
from metadata_service.schema import latest_version, migrate, migrations, read_state
from support import Api


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with closing(connect(database)) as connection:
        yield connection


def rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def served(database: str) -> Iterator[Api]:
    yield Api(create_app(Settings(database_url=database)).test_client())


def seed(api: Api) -> str:
    """Register one of everything; the path of the task."""
    api.made("/flows/Seeded", {"tags": ["a"]})
    api.made("/flows/Seeded/run", {"run_number": "r", "user_name": "ann", "system_tags": ["user:ann"]})
    api.made("/flows/Seeded/runs/r/steps/end/step")
    api.made("/flows/Seeded/runs/r/steps/end/task", {"task_id": "t"})
    task = "/flows/Seeded/runs/r/steps/end/tasks/t"
    api.made(f"{task}/artifact", [{"name": "x"}])
    api.made(f"{task}/metadata", [{"field_name": "attempt_ok", "value": "true"}])
    return task


def everything(api: Api, task: str) -> list[Any]:
    run = "/flows/Seeded/runs/r"
    return [
        api.get(path).body for path in ("/flows", run, f"{run}/steps/end", task, f"{run}/artifacts", f"{run}/metadata")
    ]


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, latest_version() + 1))


def test_every_migration_says_what_it_locks() -> None:
    assert all(migration.locks for migration in migrations())


def test_an_empty_database_is_at_version_0(connection: Connection) -> None:
    state = read_state(connection)
    assert (state.version, len(state.pending)) == (0, latest_version())


def test_from_empty_to_the_latest(connection: Connection) -> None:
    assert [migration.version for migration in migrate(connection)] == list(range(1, latest_version() + 1))
    state = read_state(connection)
    assert (state.version, state.pending) == (latest_version(), ())
    assert migrate(connection) == ()


@pytest.mark.parametrize("target", range(1, latest_version()))
def test_each_step_keeps_what_a_database_holds(database: str, connection: Connection, target: int) -> None:
    migrate(connection, target=target)
    with served(database) as api:
        task = seed(api)
        before = everything(api, task)
        assert [migration.version for migration in migrate(connection, target=target + 1)] == [target + 1]
        assert everything(api, task) == before
        api.made("/flows/Seeded/runs/r/steps/end/task")


def test_migrators_at_once_apply_everything_once(database: str) -> None:
    def run(_: int) -> int:
        with closing(connect(database)) as connection:
            return len(migrate(connection))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == latest_version()


def test_a_step_that_fails_leaves_nothing(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    good, *rest = migrations()
    broken = schema.Migration(2, "broken", "CREATE TABLE half (a int); SELECT nothing_like_it();", 1, "none")
    monkeypatch.setattr(schema, "migrations", lambda: (good, broken))
    with pytest.raises(DatabaseFailure):
        migrate(connection)
    assert read_state(connection).version == 1
    assert rows(connection, "SELECT to_regclass('half')") == [(None,)]
    monkeypatch.undo()
    assert [migration.version for migration in migrate(connection)] == [migration.version for migration in rest]


class TestForeignDatabases:
    """A database that holds something else is refused and not touched."""

    @pytest.fixture
    def foreign(self, connection: Connection) -> Connection:
        rows(connection, "CREATE TABLE flows_v3 (flow_id text); INSERT INTO flows_v3 VALUES ('theirs')")
        return connection

    def test_is_not_migrated(self, foreign: Connection) -> None:
        for attempt in (read_state, migrate):
            with pytest.raises(ForeignSchema, match="flows_v3") as refused:
                attempt(foreign)
            assert refused.value.tables == ("flows_v3",)
        assert rows(foreign, "SELECT * FROM flows_v3") == [("theirs",)]
        assert rows(foreign, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]

    def test_is_not_served(self, database: str, foreign: Connection) -> None:
        with served(database) as api:
            assert api.get("/readyz").status == 503
            assert "not ours" in api.get("/readyz").body["message"]
            assert api.post("/flows/F").status == 500
        assert rows(foreign, "SELECT * FROM flows_v3") == [("theirs",)]

    def test_has_room_for_us_in_a_schema_of_its_own(self, database: str, foreign: Connection) -> None:
        rows(foreign, "CREATE SCHEMA ours")
        url = f"{database}&options=-csearch_path%3Dours"
        with closing(connect(url)) as connection:
            migrate(connection)
        with served(url) as api:
            seed(api)
        assert rows(foreign, "SELECT count(*) FROM ours.runs") == [(1,)]


class TestVersions:
    """What a service does on a schema that is not its own."""

    def test_nothing_is_served_from_an_empty_database_and_the_command_is_named(self, database: str) -> None:
        with served(database) as api:
            ready = api.get("/readyz")
            assert ready.status == 503
            assert (ready.body["have"], ready.body["need"]) == (0, 1)
            assert ready.body["command"] == "metadata-service migrate"
            answer = api.get("/flows")
            assert answer.status == 501
            assert (answer.body["error"], answer.body["command"]) == ("schema_too_old", "metadata-service migrate")
            assert api.get("/ping").status == 200
            assert api.get("/healthz").status == 200

    def test_on_version_1_searching_needs_a_migration_and_the_rest_works(
        self, database: str, connection: Connection
    ) -> None:
        migrate(connection, target=1)
        with served(database) as api:
            seed(api)
            for query in ({"status": "failed"}, {"_tags": "a"}, {"user": "ann"}):
                answer = api.get("/flows/Seeded/runs", **query)
                assert answer.status == 501
                assert (answer.body["have"], answer.body["need"]) == (1, 2)
                assert "metadata-service migrate" in answer.body["message"]
            assert len(api.get("/flows/Seeded/runs", user_name="ann").body) == 1
            ready = api.get("/readyz")
            assert (ready.status, ready.body["schema"], ready.body["latest"]) == (200, 1, 2)

    def test_a_migration_beside_a_running_service_is_noticed(self, database: str, connection: Connection) -> None:
        with served(database) as api:
            assert api.get("/flows").status == 501
            migrate(connection, target=1)
            seed(api)
            assert api.get("/flows/Seeded/runs", _tags="a").status == 501
            migrate(connection)
            assert api.get("/flows/Seeded/runs", user="ann").status == 200

    def later(self, connection: Connection, oldest_service: int) -> None:
        migrate(connection)
        rows(
            connection,
            "INSERT INTO stepwell_schema (version, name, oldest_service) VALUES "
            f"({latest_version() + 1}, 'later', {oldest_service})",
        )

    def test_a_later_schema_that_an_older_service_understands_is_served(
        self, database: str, connection: Connection
    ) -> None:
        self.later(connection, oldest_service=1)
        assert migrate(connection) == ()
        with served(database) as api:
            seed(api)
            assert api.get("/readyz").body == {"status": "ready", "schema": latest_version() + 1}

    def test_a_later_schema_that_it_does_not_is_refused(self, database: str, connection: Connection) -> None:
        self.later(connection, oldest_service=latest_version() + 1)
        for attempt in (read_state, migrate):
            with pytest.raises(SchemaTooNew, match="install a later metadata-service"):
                attempt(connection)
        with served(database) as api:
            assert api.get("/readyz").status == 503
            assert api.get("/flows").status == 500
