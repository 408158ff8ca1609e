"""`stepwell configure`, `stepwell status`, `stepwell version`: this installation and its settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from stepwell.config import SECRETS, SETTINGS, config_path, load_settings, parse_config
from stepwell.errors import SettingsError


@click.group("configure", help="Install the administrator's settings.")
def configure() -> None:
    """Only groups the commands."""


@configure.command("import", help="Install a settings file (JSON); - reads standard input.")
@click.argument("file")
def import_(file: str) -> None:
    """Check a settings file and make it the one in force."""
    settings = parse_config(_read(file), "standard input" if file == "-" else file)
    known = set(SETTINGS) | {name for setting in SETTINGS.values() for name in setting.metaflow}
    path = config_path(os.environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.touch(mode=0o600)  # it may hold the service's key
    partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    print(f"Installed {len(settings)} settings into {path}")
    for name in sorted(set(settings) - known):
        print(f"Warning: this version of stepwell does not use {name}", file=sys.stderr)


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}") from error


@click.command("status", help="Show the settings in force and where they come from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show each setting with its source; secrets are not shown."""
    from stepwell.config import datastore_root, metadata_url, user_name

    settings = load_settings()
    values = {name: settings.lookup(name) for name in SETTINGS}
    shown = {name: "(set)" if name in SECRETS and value.value else value.value for name, value in values.items()}
    if as_json:
        print(json.dumps({name: {"value": shown[name], "source": values[name].source} for name in SETTINGS}, indent=2))
        return
    print(f"user       {user_name(settings)}")
    print(f"datastore  {datastore_root(settings)}")
    print(f"metadata   {metadata_url(settings)}")
    for name, value in values.items():
        if value.value is not None:
            print(f"{name} = {shown[name]}    ({value.source})")


@click.command("version", help="Print the version of stepwell.")
def version() -> None:
    """Print the version."""
    import stepwell

    print(stepwell.__version__)
