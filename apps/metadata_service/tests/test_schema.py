"""Migrations: every step on a database in use, foreign databases left alone, and what each schema version can serve."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from metadata_service import Settings, create_app, schema
from metadata_service.errors import DatabaseFailure, ForeignSchema, NoSchema, SchemaTooNew
from metadata_service.pool import Connection, connect
from metadata_service.schema import latest_version, migrate, migrations, read_state
from support import Answer, Api, wait_until


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


RUN = "/flows/Seeded/runs/1"


def seed(api: Api) -> str:
    """Register one of everything that every schema version can hold; the path of the task."""
    api.made("/flows/Seeded", {"tags": ["a"]})
    api.made("/flows/Seeded/run", {"user_name": "ann", "tags": ["nightly"], "system_tags": ["user:ann"]})
    api.made(f"{RUN}/steps/end/step")
    api.made(f"{RUN}/steps/end/task")
    task = f"{RUN}/steps/end/tasks/1"
    api.made(f"{task}/artifact", [{"name": "x"}])
    api.made(f"{task}/metadata", [{"field_name": "attempt_ok", "value": "true"}])
    return task


def everything(api: Api, task: str) -> list[Any]:
    return [
        api.get(path).body for path in ("/flows", RUN, f"{RUN}/steps/end", task, f"{RUN}/artifacts", f"{RUN}/metadata")
    ]


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, latest_version() + 1))


def test_every_migration_says_what_it_locks() -> None:
    assert all(migration.locks for migration in migrations())


def test_an_empty_database_is_at_version_0(connection: Connection) -> None:
    state = read_state(connection)
    assert (state.version, len(state.pending)) == (0, latest_version())


def test_a_schema_that_does_not_exist_is_no_empty_database(database: str) -> None:
    url = f"{database}&options=-csearch_path%3Dmissing"
    with closing(connect(url)) as connection:
        for look in (read_state, migrate):
            with pytest.raises(NoSchema, match="missing"):
                look(connection)
    with served(url) as api:
        refused = api.get("/readyz")
        assert (refused.status, "CREATE SCHEMA" in refused.body["message"]) == (503, True)


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
        api.made(f"{RUN}/steps/end/task")


def test_what_a_database_holds_is_found_after_the_last_step(database: str, connection: Connection) -> None:
    """By tag, user and status, also what was registered before there were indexes for that."""
    migrate(connection, target=latest_version() - 1)
    with served(database) as api:
        task = seed(api)
        outcomes = {"1": ["true"], "2": [], "3": ["false"], "4": ["false", "attempt"], "5": ["false", "true"]}
        for number, outcome in outcomes.items():
            if number != "1":
                api.made("/flows/Seeded/run", {"system_tags": ["user:ann"]})
                api.made(f"/flows/Seeded/runs/{number}/steps/end/step")
                api.made(f"/flows/Seeded/runs/{number}/steps/end/task")
            for value in outcome if number != "1" else []:
                row = {"field_name": "attempt"} if value == "attempt" else {"field_name": "attempt_ok", "value": value}
                api.made(f"/flows/Seeded/runs/{number}/steps/end/tasks/{number}/metadata", [row])
        migrate(connection)
        assert api.get(task).status == 200

        def found(**query: str) -> list[int]:
            return sorted(run["run_number"] for run in api.get("/flows/Seeded/runs", **query).body)

        assert found(_tags="nightly") == [1]
        assert found(_tags="user:ann") == [1, 2, 3, 4, 5]
        assert found(user="ann") == [1]
        assert (found(status="completed"), found(status="failed"), found(status="running")) == ([1, 5], [3], [2, 4])


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

    def refused(self, answer: Answer, have: int, need: int) -> None:
        assert answer.status == 501, answer
        assert (answer.body["error"], answer.body["have"], answer.body["need"]) == ("schema_too_old", have, need)
        assert "metadata-service migrate" in answer.body["message"]

    @pytest.mark.parametrize("version", [1, 2])
    def test_before_version_3_nothing_is_searched_changed_or_deleted(
        self, database: str, connection: Connection, version: int
    ) -> None:
        migrate(connection, target=version)
        with served(database) as api:
            seed(api)
            for query in ({"status": "failed"}, {"_tags": "a"}, {"user": "ann"}):
                self.refused(api.get("/flows/Seeded/runs", **query), version, 3)
            self.refused(api.patch(f"{RUN}/tag/mutate", {"tags_to_add": ["a"]}), version, 3)
            self.refused(api.send("DELETE", RUN), version, 3)
            assert len(api.get("/flows/Seeded/runs", user_name="ann").body) == 1
            ready = api.get("/readyz")
            assert (ready.status, ready.body["schema"], ready.body["latest"]) == (200, version, 3)

    def test_on_version_1_there_are_neither_names_nor_heartbeats(self, database: str, connection: Connection) -> None:
        migrate(connection, target=1)
        with served(database) as api:
            task = seed(api)
            self.refused(api.post("/flows/Seeded/run", {"run_number": "mine"}), 1, 2)
            self.refused(api.post(f"{RUN}/steps/end/task", {"task_id": "mine"}), 1, 2)
            self.refused(api.post(f"{RUN}/bulk", {"steps": [{"step_name": "more"}]}), 1, 2)
            for path in (RUN, task):
                self.refused(api.post(f"{path}/heartbeat"), 1, 2)
                assert api.get(path).body["last_heartbeat_ts"] is None
            assert api.get("/flows/Seeded/runs/mine").status == 404
            assert api.get("/flows/Seeded/runs", **{"run_id:is": "null"}).body[0]["run_number"] == 1

    @pytest.mark.parametrize(
        ("version", "told"), [(0, "0"), (1, "2.0.3"), (2, "2.2.4"), (3, "2.5.1")], ids=lambda value: str(value)
    )
    def test_clients_are_told_the_version_that_the_schema_can_serve(
        self, database: str, connection: Connection, version: int, told: str
    ) -> None:
        """They send heartbeats from 2.0.4 and change tags from 2.3.0."""
        migrate(connection, target=version)
        with served(database) as api:
            assert api.get("/ping").headers["METADATA_SERVICE_VERSION"] == told
            assert api.get("/version").body == told
            migrate(connection)
            wait_until(lambda: api.get("/ping").headers["METADATA_SERVICE_VERSION"] == "2.5.1")

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
            refused = api.get("/flows")  # clients try again, and may come to a later service behind the same balancer
            assert (refused.status, "install a later" in refused.body["message"]) == (503, True)
