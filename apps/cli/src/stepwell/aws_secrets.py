"""Secrets that AWS Secrets Manager keeps: their text, and the metadata service's key in one."""

from __future__ import annotations

import functools
import json
from typing import Any

from stepwell.errors import SecretsError


def fetch_text(
    secret: str, role: str | None = None, region: str | None = None, endpoint: str | None = None, what: str = ""
) -> str:
    """The text of a secret, as `role` reads it; raises `SecretsError`, which calls it `what`."""
    what = what or f"The secret '{secret}'"
    try:
        from boto3.session import Session
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SecretsError("Secrets of AWS need boto3: pip install 'stepwell[aws]'") from error
    places = {"region_name": region, "endpoint_url": endpoint}
    try:
        credentials: dict[str, Any] = _assumed(Session(), role, places)
        session: Any = Session(**credentials)
        answer = session.client("secretsmanager", **places).get_secret_value(SecretId=secret)
    except (BotoCoreError, ClientError) as error:
        raise SecretsError(f"{what} cannot be read: {error}") from error
    text: str | None = answer.get("SecretString")
    return text if text is not None else str(answer["SecretBinary"].decode("utf-8", "surrogateescape"))


def _assumed(session: Any, role: str | None, places: dict[str, str | None]) -> dict[str, str]:
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


@functools.cache
def service_key(secret: str, region: str | None, endpoint: str | None) -> str:
    """The metadata service's key: all of a secret's text, or the `auth_key` of a JSON object. Read once in a process."""
    in_arn = secret.split(":")[3] if secret.startswith("arn:") and secret.count(":") >= 6 else None
    text = fetch_text(secret, region=region or in_arn, endpoint=endpoint).strip()
    if not text.startswith("{"):
        return text
    try:
        key = json.loads(text)["auth_key"]
    except (ValueError, KeyError) as error:
        raise SecretsError(f"The secret '{secret}' holds no 'auth_key': name the service's key so in it") from error
    return str(key)
