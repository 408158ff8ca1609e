"""Fetch what `@secrets` asks for and set it in the environment of the task."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, MutableMapping

from stepwell.api.decorators.kinds import Secrets, SecretSource
from stepwell.aws_secrets import fetch_text
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
    settings = load_settings()
    text = fetch_text(
        source.id,
        source.role or role,
        source.options.get("region") or settings.get("STEPWELL_AWS_REGION"),
        settings.get("STEPWELL_AWS_ENDPOINT_URL"),
        _named(source),
    )
    return _variables(source, text)


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
