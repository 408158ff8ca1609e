"""The command line: `migrate`, `status`, and where options come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from metadata_service.environment import database_from
from metadata_service.main import main
from metadata_service.pool import connect, without_password
from metadata_service.schema import latest_version, migrate, read_state
from psycopg2.extensions import parse_dsn
from support import clean_environment, command


def run(*arguments: str, **environment: str) -> Result:
    unset = {name: None for name in os.environ if name not in clean_environment(None)}
    return CliRunner().invoke(main, arguments, env={**unset, **environment})


class TestMigrate:
    def test_sets_up_an_empty_database_and_then_has_nothing_to_do(self, database: str) -> None:
        first = run("migrate", "--database-url", database)
        assert first.exit_code == 0, first.output
        assert first.output.splitlines()[:2] == ["Applied 1 core", "Applied 2 names"]
        assert f"is at schema version {latest_version()}" in first.output
        again = run("migrate", "--database-url", database)
        assert "nothing to do" in again.output
        assert "Applied" not in again.output

    def test_goes_on_from_where_a_database_is(self, database: str) -> None:
        with closing(connect(database)) as connection:
            migrate(connection, target=1)
            assert run("migrate", "--database-url", database).output.startswith("Applied 2 names\nApplied 3 search\n")
            assert read_state(connection).version == latest_version()

    def test_a_dry_run_tells_and_changes_nothing(self, database: str) -> None:
        with closing(connect(database)) as connection:
            migrate(connection, target=1)
            shown = run("migrate", "--dry-run", "--database-url", database)
            assert shown.exit_code == 0
            assert "is at schema version 1. Pending:\n  2 names\n    locks: " in shown.output
            assert "\n  runs " in shown.output
            assert "backup" in shown.output
            assert read_state(connection).version == 1
            migrate(connection)
        assert run("migrate", "--dry-run", "--database-url", database).output.endswith("nothing to do\n")

    def test_leaves_a_foreign_database_alone(self, database: str) -> None:
        with closing(connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE theirs (a int)")
        refused = run("migrate", "--database-url", database)
        assert refused.exit_code == 1
        assert refused.output.startswith("Error: this database is not ours")

    def test_works_on_the_embedded_database_too(self, data: Path) -> None:
        assert run("migrate", "--data-dir", str(data)).exit_code == 0
        shown = run("status", "--data-dir", str(data))
        assert "the embedded Postgres in" in shown.output
        assert f"schema     version {latest_version()}" in shown.output

    def test_a_database_that_is_away_is_one_message(self) -> None:
        away = run("migrate", "--database-url", "postgresql://user:secret@127.0.0.1:1/name")
        assert away.exit_code == 1
        assert away.output.startswith("Error: the database is not available")
        assert "secret" not in away.output


class TestStatus:
    def test_counts(self, database: str) -> None:
        with closing(connect(database)) as connection, connection.cursor() as cursor:
            migrate(connection)
            cursor.execute("INSERT INTO flows (flow_id, ts_epoch) SELECT 'F' || i, 0 FROM generate_series(1, 1234) i")
        shown = dict(line.split(None, 1) for line in run("status", "--database-url", database).output.splitlines())
        assert shown["flows"] == "1,234"
        assert shown["runs"] == shown["tasks"] == "0"
        assert shown["schema"] == f"version {latest_version()}"
        assert shown["service"].endswith("HTTP API 2.5.1")
        assert shown["postgres"][0].isdigit()
        assert shown["size"].endswith("MiB")

    def test_names_the_command_that_an_older_or_empty_schema_needs(self, database: str) -> None:
        assert (
            "the database is empty: run `metadata-service migrate`" in run("status", "--database-url", database).output
        )
        with closing(connect(database)) as connection:
            migrate(connection, target=1)
        assert "version 1, the latest is 3: run" in run("status", "--database-url", database).output

    def test_makes_no_database(self, tmp_path: Path) -> None:
        missing = tmp_path / "data"
        shown = run("status", "--data-dir", str(missing))
        assert shown.exit_code == 1
        assert f"there is no database in {missing}" in shown.output
        assert not missing.exists()


class TestWhereOptionsComeFrom:
    """Command line, else environment, else file."""

    def test_the_environment_names_the_database(self, migrated: str) -> None:
        for name in ("METADATA_SERVICE_DATABASE_URL", "MF_METADATA_DB_DSN"):
            assert run("status", **{name: migrated}).exit_code == 0

    def test_a_file_does(self, migrated: str, tmp_path: Path) -> None:
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"database-url": migrated, "port": 8081, "threads": 2}))
        assert run("--config", str(file), "status").exit_code == 0
        assert run("status", METADATA_SERVICE_CONFIG=str(file)).exit_code == 0

    def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
        self, migrated: str, tmp_path: Path
    ) -> None:
        file, bad = tmp_path / "config.json", "nonsense"
        file.write_text(json.dumps({"database-url": bad}))
        assert run("--config", str(file), "status").exit_code == 1
        assert run("--config", str(file), "status", METADATA_SERVICE_DATABASE_URL=migrated).exit_code == 0
        shown = run("--config", str(file), "status", "--database-url", migrated, METADATA_SERVICE_DATABASE_URL=bad)
        assert shown.exit_code == 0

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "is not JSON"),
            ("[]", "must hold a JSON object"),
            ('{"prot": 8080, "port": 1}', "no such option: prot"),
            (None, "No such file"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_one_message(self, tmp_path: Path, text: str | None, message: str) -> None:
        file = tmp_path / "config.json"
        if text is not None:
            file.write_text(text)
        refused = run("--config", str(file), "status")
        assert refused.exit_code == 1
        assert refused.output.startswith(f"Error: {file}")
        assert message in refused.output

    def test_a_value_of_the_wrong_kind_is_refused(self) -> None:
        refused = run("serve", METADATA_SERVICE_PORT="http")
        assert refused.exit_code == 2
        assert "'http' is not a valid integer" in refused.output


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"MF_METADATA_DB_TIMEOUT": "60"}, None),
        ({"MF_METADATA_DB_DSN": "host=h", "MF_METADATA_DB_HOST": "other"}, "host=h"),
        (
            {"MF_METADATA_DB_HOST": "db"},
            "host='db' port='5432' user='postgres' password='postgres' dbname='postgres'",
        ),
        (
            {"MF_METADATA_DB_HOST": "db", "DB_SCHEMA_NAME": "meta"},
            "host='db' port='5432' user='postgres' password='postgres' dbname='postgres' options='-csearch_path=meta'",
        ),
        (
            {"MF_METADATA_DB_PSWD": "it's a \\", "MF_METADATA_DB_SSL_MODE": "require"},
            r"host='localhost' port='5432' user='postgres' password='it\'s a \\' dbname='postgres' sslmode='require'",
        ),
    ],
)
def test_the_variables_of_existing_deployments(environment: dict[str, str], expected: str | None) -> None:
    assert database_from(environment) == expected


@pytest.mark.parametrize("dsn", ["postgresql://h/d?options=-cwork_mem%3D8MB", "host=h dbname=d options=-cwork_mem=8MB"])
def test_their_schema_counts_beside_an_address_as_well(dsn: str) -> None:
    parts = parse_dsn(database_from({"MF_METADATA_DB_DSN": dsn, "DB_SCHEMA_NAME": "meta"}) or "")
    assert parts == {"host": "h", "dbname": "d", "options": "-cwork_mem=8MB -csearch_path=meta"}


def test_their_address_that_is_none_is_one_message() -> None:
    refused = run("status", MF_METADATA_DB_DSN="http://h/d", DB_SCHEMA_NAME="meta")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: not a database address")


def test_their_values_are_read_back_as_they_were_given() -> None:
    given = {"HOST": "db", "PORT": "5433", "USER": "a b", "PSWD": r"'\ x=y", "NAME": "meta data"}
    parts = parse_dsn(database_from({f"MF_METADATA_DB_{name}": value for name, value in given.items()}) or "")
    assert sorted(parts.values()) == sorted(given.values())
    assert without_password("host=db password=secret dbname=d") == "d on db"


def test_help_and_version_answer_without_the_heavy_imports() -> None:
    script = (
        "import sys; from metadata_service.main import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in ('flask', 'psycopg2', 'gunicorn', 'prometheus_client') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert command("--version").stdout.strip()[0].isdigit()


@pytest.mark.parametrize("name", main.commands)
def test_help_shows_what_to_type_in_lines_that_fit_a_terminal(name: str) -> None:
    text = main.commands[name].get_help(click.Context(main.commands[name], info_name=name, terminal_width=80))
    assert f"Examples:\n    metadata-service {name}" in text
    assert [line for line in text.splitlines() if len(line) > 80] == []
