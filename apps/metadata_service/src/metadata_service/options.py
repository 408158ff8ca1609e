"""Options that several commands share, and where values come from: command line, environment, configuration file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from metadata_service.environment import database_from

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

# What the service that ours can replace calls the same settings.
_PREDECESSORS = {
    "HOST": "MF_METADATA_HOST",
    "PORT": "MF_METADATA_PORT",
    "PREFIX": "PATH_PREFIX",
    "LOG_LEVEL": "LOGLEVEL",
    "POOL_SIZE": "MF_METADATA_DB_POOL_MAX",
    "STATEMENT_TIMEOUT": "MF_METADATA_DB_TIMEOUT",
    "RUN_INACTIVE": "RUN_INACTIVE_CUTOFF_TIME",
}


def variable(name: str) -> dict[str, Any]:
    """Arguments of a click option that may be set by ``METADATA_SERVICE_<name>``; help shows it."""
    names = [f"METADATA_SERVICE_{name}", *([_PREDECESSORS[name]] if name in _PREDECESSORS else [])]
    return {"envvar": names, "show_envvar": True}


class _DatabaseOption(click.Option):
    """Understands the several variables by which existing deployments name their database."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return super().resolve_envvar_value(ctx) or database_from(os.environ)


def database_options(command: CommandT) -> CommandT:
    """Which database a command works on: a Postgres by its address, else the embedded one by its directory."""
    by_address = click.option(
        "--database-url", cls=_DatabaseOption, **variable("DATABASE_URL"), metavar="URL",
        help="A Postgres, as in postgresql://user:password@host/name. The variables MF_METADATA_DB_* name one too.",
    )  # fmt: skip
    by_directory = click.option(
        "--data-dir", type=click.Path(file_okay=False, path_type=Path), **variable("DATA_DIR"), metavar="DIR",
        help="Without a database's address: where the embedded Postgres lives.",
    )  # fmt: skip
    return by_address(by_directory(command))


def from_file(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Take options from a JSON file, for every command those that it has."""
    if path is None:
        return
    values = {name.replace("-", "_"): value for name, value in _read(path).items()}
    if not isinstance(context.command, click.Group):
        raise TypeError("only a group of commands has a configuration file")
    commands = context.command.commands
    known = {name: {p.name for p in command.params} for name, command in commands.items()}
    unknown = sorted(set(values) - {name for names in known.values() for name in names if name})
    if unknown:
        raise click.ClickException(f"{path}: no such option: {', '.join(unknown)}")
    context.default_map = {
        command: {name: value for name, value in values.items() if name in names} for command, names in known.items()
    }


def _read(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise click.ClickException(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.ClickException(f"{path} must hold a JSON object of options by their names")
    return values
