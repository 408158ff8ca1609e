"""`@secrets`: variables that a step finds, from where they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from conftest import Project
from moto import mock_aws
from stepwell import secrets
from stepwell.api.decorators.kinds import Secrets
from stepwell.errors import DecoratorError, SecretsError
from stepwell.execution.secrets import set_secrets


def found(*sources: Any, environment: dict[str, str] | None = None, **attributes: Any) -> dict[str, str]:
    """What a step's environment holds after its secrets are set."""
    environment = {} if environment is None else environment
    set_secrets(Secrets(sources=list(sources), **attributes), environment)
    return environment


def inline(**variables: str) -> dict[str, Any]:
    return {"type": "inline", "options": {"env_vars": variables}}


def test_inline_secrets_are_set() -> None:
    assert found(inline(A="1"), inline(B="2")) == {"A": "1", "B": "2"}


def test_a_variable_of_the_environment_holds_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN", '{"DB_USER": "ann", "DB_PORT": 5432}')
    assert found("environment.LOGIN") == {"DB_USER": "ann", "DB_PORT": "5432"}
    single = {"type": "environment", "id": "LOGIN", "options": {"json": False, "env_var_name": "RAW"}}
    assert json.loads(found(single)["RAW"])["DB_USER"] == "ann"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("STEPWELL_AWS_REGION", "eu-west-1")
    monkeypatch.delenv("STEPWELL_AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        client.create_secret(Name="team/db", SecretString='{"DB_USER": "ann", "DB_PASSWORD": "x"}')
        client.create_secret(Name="token", SecretString="plain text")
        client.create_secret(Name="binary", SecretBinary=b'{"KEY": "bytes"}')
        yield client


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("team/db", {"DB_USER": "ann", "DB_PASSWORD": "x"}),
        ("aws-secrets-manager.team/db", {"DB_USER": "ann", "DB_PASSWORD": "x"}),
        ({"type": "aws-secrets-manager", "id": "token", "options": {"json": False}}, {"token": "plain text"}),
        ({"type": "aws-secrets-manager", "id": "token", "options": {"json": False, "env_var_name": "T"}}, {"T": "plain text"}),
        ("binary", {"KEY": "bytes"}),
        ({"type": "aws-secrets-manager", "id": "team/db", "role": "arn:aws:iam::123456789012:role/reader"},
         {"DB_USER": "ann", "DB_PASSWORD": "x"}),
    ],
)  # fmt: skip
def test_secrets_of_aws_are_fetched(source: Any, variables: dict[str, str]) -> None:
    assert found(source) == variables


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["absent"], "'aws-secrets-manager.absent' cannot be read"),
        (["token"], "no JSON object"),
        (["environment.ABSENT_VARIABLE"], "set the variable ABSENT_VARIABLE"),
        ([{"type": "aws-secrets-manager", "id": "team/db", "options": {"region": "us-east-1"}}], "cannot be read"),
        ([inline(**{"no-name": "hidden"})], "'no-name'"),
        ([inline(STEPWELL_USER="hidden")], "'STEPWELL_USER'"),
        ([inline(A="hidden"), inline(A="hidden")], "replace the variable A"),
        ([inline(PRESENT="hidden")], "replace the variable PRESENT"),
    ],
)
def test_a_secret_that_cannot_be_had_is_one_message_without_values(sources: list[Any], says: str) -> None:
    environment = {"PRESENT": "before"}
    with pytest.raises(SecretsError) as caught:
        found(inline(B="2"), *sources, environment=environment)
    assert says in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "plain text" not in str(caught.value)
    assert environment == {"PRESENT": "before"}, "all or nothing"


def test_a_variable_is_replaced_where_that_is_asked_for() -> None:
    assert found(inline(A="new"), environment={"A": "old"}, allow_override=True) == {"A": "new"}


def body(self: object) -> None:
    """A step."""


@pytest.mark.parametrize(
    "declare",
    [
        lambda: secrets(sources="team/db")(body),
        lambda: secrets(sources=[{"type": "vault", "id": "x"}])(body),
        lambda: secrets(sources=[{"kind": "inline"}])(body),
        lambda: secrets(sources=[7])(body),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: Callable[[], Any]) -> None:
    with pytest.raises(DecoratorError, match=r"^@secrets: "):
        declare()


def test_a_step_finds_its_secrets_and_the_next_one_does_not(project: Project) -> None:
    project.flow(
        """
        @secrets(sources=[{"type": "inline", "options": {"env_vars": {"TOKEN": "abc"}}}, "environment.LOGIN"])
        @step
        def start(self):
            import os
            print("found", os.environ["TOKEN"], os.environ["DB_USER"])
            self.next(self.end)

        @step
        def end(self):
            import os
            print("then", os.environ.get("TOKEN"))
        """
    )
    done = project.run(LOGIN='{"DB_USER": "ann"}')
    assert "found abc ann" in done.stdout
    assert "then None" in done.stdout
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "set the variable LOGIN" in done.stderr
    assert "/src/stepwell" not in done.stdout
