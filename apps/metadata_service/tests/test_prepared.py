"""Statements planned once a connection: the answers are those of the plain statement, whatever becomes of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from metadata_service.pool import Cursor, connect
from metadata_service.prepared import execute

TEXT = "SELECT %(word)s::text || '%%', %(word)s::text, %(number)s::bigint + 1"


@pytest.fixture
def cursor(postgres: str) -> Iterator[Cursor]:
    with closing(connect(postgres)) as connection, connection.cursor() as cursor:
        yield cursor


def asked(cursor: Cursor, text: str, **parameters: Any) -> Any:
    execute(cursor, text, parameters)
    return cursor.fetchone()


def prepared(cursor: Cursor) -> list[str]:
    cursor.execute("SELECT name FROM pg_prepared_statements")
    return [name for (name,) in cursor.fetchall()]


def test_one_plan_serves_all_values(cursor: Cursor) -> None:
    assert asked(cursor, TEXT, word="a", number=1) == ("a%", "a", 2)
    assert asked(cursor, TEXT, word="$1'; --", number=2**62) == ("$1'; --%", "$1'; --", 2**62 + 1)
    assert asked(cursor, TEXT, word=None, number=-7, more="unused") == (None, None, -6)
    assert len(prepared(cursor)) == 1


def test_a_statement_without_parameters(cursor: Cursor) -> None:
    assert asked(cursor, "SELECT 7") == asked(cursor, "SELECT 7") == (7,)


def test_different_statements_have_different_plans(cursor: Cursor) -> None:
    assert (asked(cursor, "SELECT 1"), asked(cursor, "SELECT 2")) == ((1,), (2,))
    assert len(prepared(cursor)) == 2


def test_a_proxy_may_lose_the_plan(cursor: Cursor) -> None:
    for _ in range(3):
        assert asked(cursor, "SELECT %(a)s::text", a="x") == ("x",)
        cursor.execute("DEALLOCATE ALL")


def test_a_proxy_may_hand_on_a_connection_that_has_it(postgres: str, cursor: Cursor) -> None:
    asked(cursor, "SELECT %(a)s::text", a="x")
    (name,) = prepared(cursor)
    with closing(connect(postgres)) as other, other.cursor() as theirs:
        theirs.execute(f"PREPARE {name} AS SELECT $1::text")
        assert asked(theirs, "SELECT %(a)s::text", a="y") == ("y",)
        assert asked(theirs, "SELECT %(a)s::text", a="z") == ("z",)
