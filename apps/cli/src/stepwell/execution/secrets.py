"""Fetch what `@secrets` asks for and set it in the environment of the task."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from stepwell.api.decorators.kinds import Secrets, SecretSource
from stepwell.config import load_settings
from stepwell.errors import SecretsError

_VARIABLE = re.compile(r"(?!STEPWELL_|METAFLOW_)[A-Za-z_][A-Za-z0-9_]*")


def set_secrets(secrets: Secrets, environment: MutableMapping[str, str]) -> None:
    """Set the variables of all sources, or none of them; raises `SecretsError`, which never tells a value."""
    found: dict[str, str] = {}
    for source in secrets.sources:
        for name, value in _BACKENDS[source.type](source, secrets.role).items():
            if not _VARIABLE.fullmatch(name):
                raise SecretsError(f"{_named(source)} holds '{name}', which cannot be the name of a variable")
            if name in found or (name in environment and not secrets.allow_override):
                raise SecretsError(
                    f"{_named(source)} would replace the variable {name}; rename it, or ask for that with allow_override=True"
                )
            found[name] = value
    environment.update(found)


def _named(source: SecretSource) -> str:
    return f"The secret '{source.type}{'.' if source.id else ''}{source.id}'"


def _inline(source: SecretSource, role: str | None) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in source.options.get("env_vars", {}).items()}


def _from_environment(source: SecretSource, role: str | None) -> Mapping[str, str]:
    text = os.environ.get(source.id)
    if text is None:
        raise SecretsError(f"{_named(source)} is not there: set the variable {source.id} where the step runs")
    return _variables(source, text)


def _from_aws(source: SecretSource, role: str | None) -> Mapping[str, str]:
    try:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SecretsError("Secrets of AWS need boto3: pip install 'stepwell[aws]'") from error
    settings = load_settings()
    places: dict[str, Any] = {
        "region_name": source.options.get("region") or settings.get("STEPWELL_AWS_REGION"),
        "endpoint_url": settings.get("STEPWELL_AWS_ENDPOINT_URL"),
    }
    try:
        credentials: dict[str, Any] = _assumed(Session(), source.role or role, places)
        session: Any = Session(**credentials)
        answer = session.client("secretsmanager", **places).get_secret_value(SecretId=source.id)
    except (BotoCoreError, ClientError) as error:
        raise SecretsError(f"{_named(source)} cannot be read: {error}") from error
    text = answer.get("SecretString")
    return _variables(source, text if text is not None else answer["SecretBinary"].decode("utf-8", "surrogateescape"))


def _assumed(session: Any, role: str | None, places: Mapping[str, Any]) -> dict[str, str]:
    """Credentials of another role; none where no role is asked for."""
    if role is None:
        return {}
    answer = session.client("sts", **places).assume_role(RoleArn=role, RoleSessionName="stepwell-secrets")
    given = answer["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def _variables(source: SecretSource, text: str) -> Mapping[str, str]:
    """The variables in a secret's text: those of a JSON object, or, with `json: False`, all of it as one."""
    single = source.options.get("env_var_name") or re.sub(r"[^A-Za-z0-9_]", "_", source.id)
    if source.options.get("json", True) is False:
        return {single: text}
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise SecretsError(
            f"{_named(source)} is no JSON object of variables; for one text, give its source the options "
            "{'json': False, 'env_var_name': NAME}"
        )
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}


_BACKENDS: dict[str, Callable[[SecretSource, str | None], Mapping[str, str]]] = {
    "inline": _inline,
    "environment": _from_environment,
    "aws-secrets-manager": _from_aws,
}
