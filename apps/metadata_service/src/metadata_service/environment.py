"""The environment variables by which deployments of Netflix/metaflow-service name their database."""

from __future__ import annotations

from collections.abc import Mapping

_PREFIX = "MF_METADATA_DB_"
# variable -> what libpq calls it, and the value where the variable is not set
_PARTS = {
    "HOST": ("host", "localhost"),
    "PORT": ("port", "5432"),
    "USER": ("user", "postgres"),
    "PSWD": ("password", "postgres"),
    "NAME": ("dbname", "postgres"),
    "SSL_MODE": ("sslmode", ""),
    "SSL_CERT_PATH": ("sslcert", ""),
    "SSL_KEY_PATH": ("sslkey", ""),
    "SSL_ROOT_CERT_PATH": ("sslrootcert", ""),
}


def database_from(environment: Mapping[str, str]) -> str | None:
    """The database's address in libpq's form, if any of the variables that name one is set.

    Raises `InvalidRequest` where an address that a schema is to be added to is none.
    """
    schema = environment.get("DB_SCHEMA_NAME")
    if dsn := environment.get(f"{_PREFIX}DSN"):
        return _in_schema(dsn, schema) if schema else dsn
    given = {name: value for name in _PARTS if (value := environment.get(_PREFIX + name))}
    if not given:
        return None
    parts = {key: given.get(name, default) for name, (key, default) in _PARTS.items()}
    if schema:
        parts["options"] = f"-csearch_path={schema}"
    return " ".join(f"{key}={_quoted(value)}" for key, value in parts.items() if value)


def _in_schema(dsn: str, schema: str) -> str:
    from metadata_service.pool import with_options  # heavy, and not needed to show a command's help

    return with_options(dsn, f"-csearch_path={schema}")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
