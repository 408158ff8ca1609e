"""Connections: few, waited for, replaced when they age or break, and never a foreign error."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing, suppress

import pytest
from metadata_service import Settings, create_app
from metadata_service.errors import DatabaseFailure, DatabaseUnavailable, InvalidRequest, PoolTimeout
from metadata_service.pool import Connection, Pool, connect, mapped_errors, without_password
from support import Api


def make_pool(url: str, *, size: int = 1, wait_s: float = 240, lifetime_s: float = 1800) -> Pool:
    return Pool(lambda: connect(url), size=size, wait_s=wait_s, lifetime_s=lifetime_s)


def identity(connection: Connection) -> int:
    return connection.info.backend_pid


def ask(pool: Pool) -> int:
    """Use a connection; which one it was."""
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return identity(connection)


def test_a_connection_is_used_again(postgres: str) -> None:
    with closing(make_pool(postgres, size=4)) as pool:
        assert len({ask(pool) for _ in range(5)}) == 1


def test_there_are_never_more_than_its_size(postgres: str) -> None:
    with closing(make_pool(postgres, size=2, wait_s=0.05)) as pool, ExitStack() as lent:
        assert len({identity(lent.enter_context(pool.connection())) for _ in range(2)}) == 2
        with pytest.raises(PoolTimeout, match="all 2 database connections"):
            ask(pool)


def test_who_waits_gets_what_others_give_back(postgres: str) -> None:
    with closing(make_pool(postgres)) as pool:
        found: list[int] = []
        with pool.connection() as connection:
            waiting = threading.Thread(target=lambda: found.append(ask(pool)))
            waiting.start()
            mine = identity(connection)
        waiting.join()
        assert found == [mine]


def test_an_old_connection_is_replaced(postgres: str) -> None:
    with closing(make_pool(postgres, lifetime_s=0)) as pool:
        assert ask(pool) != ask(pool)


def test_a_connection_that_the_server_closed_is_replaced(postgres: str) -> None:
    with closing(make_pool(postgres)) as pool, closing(connect(postgres)) as other, other.cursor() as cursor:
        first = ask(pool)
        cursor.execute("SELECT pg_terminate_backend(%s, 240000)", [first])
        assert ask(pool) != first


@pytest.mark.parametrize("broken", ["SELECT nothing", "SELECT 1"])
def test_a_connection_left_in_a_transaction_is_not_given_to_others(postgres: str, broken: str) -> None:
    with closing(make_pool(postgres)) as pool:
        with suppress(DatabaseFailure), pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(broken)
        with pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT now() = statement_timestamp()")
            assert cursor.fetchone() == (True,)


def test_a_database_that_is_away_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable, match="not available") as away:
        connect("postgresql://user@127.0.0.1:1/name")
    assert away.value.retryable
    assert away.value.__cause__ is not None


def test_what_is_no_address_is_said() -> None:
    with pytest.raises(InvalidRequest, match="not a database address"):
        connect("no address")


def test_addresses_are_printed_without_passwords() -> None:
    shown = without_password("postgresql://ann:secret@db.example:5433/metadata")
    assert shown == "metadata on db.example:5433"


def test_a_password_in_a_mistaken_address_is_not_repeated() -> None:
    for look_at in (without_password, connect):
        with pytest.raises(InvalidRequest, match="not a database address") as refused:
            look_at("postgresql://ann:sec%ret@db.example/metadata")
        assert "sec" not in str(refused.value)


def test_when_all_connections_are_busy_clients_are_told_to_come_back(migrated: str) -> None:
    app = create_app(Settings(database_url=migrated, pool_size=1, pool_wait_s=0.05))
    api = Api(app.test_client())
    assert api.get("/flows", _limit=1).status == 200
    pool: Pool = app.extensions["metadata_service"].statements._pool
    with pool.connection():
        answer = api.get("/flows")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "try again" in answer.body["message"]
        assert api.get("/healthcheck").status == 503
        assert api.get("/ping").status == 200
    assert api.get("/flows", _limit=1).status == 200


def test_a_statement_that_takes_too_long_is_given_up(postgres: str) -> None:
    connection = connect(postgres, statement_timeout_s=0.1)
    with closing(connection), pytest.raises(DatabaseUnavailable), mapped_errors(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")
