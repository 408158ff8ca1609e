"""`stepwell configure`, `stepwell status`, `stepwell version`: this installation and its settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from stepwell.config import SECRETS, SETTINGS, config_path, load_settings, parse_config
from stepwell.errors import SettingsError


@click.group("configure", help="Install, show, export, check and remove the administrator's settings.")
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
    _write_private(path, json.dumps(settings, indent=2) + "\n")
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


@configure.command("show", help="Print the settings file that is in force; secrets are not shown.")
def show() -> None:
    """Print the file's settings."""
    path, settings = _installed()
    print(f"# {path}")
    print(json.dumps({name: _shown(name, value) for name, value in settings.items()}, indent=2))


@configure.command("export", help="Write the settings file, with its secrets, into FILE; - prints it.")
@click.argument("file")
def export(file: str) -> None:
    """Copy the file's settings to where `import` can read them."""
    path, settings = _installed()
    text = json.dumps(settings, indent=2) + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    _write_private(Path(file), text)
    print(f"Wrote the settings of {path} into {file}")


@configure.command("reset", help="Remove the settings file: the defaults are in force then.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Remove the file, after asking."""
    path, _ = _installed()
    if not yes:
        click.confirm(f"Remove {path}?", abort=True)
    path.unlink()
    print(f"Removed {path}")


@configure.command("validate", help="Check the settings in force, and that datastore and metadata store answer.")
def validate() -> None:
    """Ask both stores something harmless; exits with 1 where one does not answer."""
    from cas_store import CasStoreError
    from meta_client import MetaClientError

    from stepwell.client.scope import datastore, metadata_store
    from stepwell.config import datastore_root, metadata_url

    settings = load_settings()
    for name in SETTINGS:
        settings.lookup(name)
    ok = True
    for what, place, ask in (
        ("datastore", datastore_root(settings), lambda: datastore().records.exists("flows/none")),
        ("metadata", metadata_url(settings), lambda: metadata_store().list_flows()),
    ):
        try:
            ask()
        except (CasStoreError, MetaClientError) as error:
            ok = False
            print(f"{what:9}  {place}  does not answer: {error}")
        else:
            print(f"{what:9}  {place}  answers")
    if not ok:
        raise SystemExit(1)


def _installed() -> tuple[Path, dict[str, str]]:
    """The settings file in force and what it says; raises `SettingsError` where there is none."""
    path = config_path(os.environ)
    if not path.exists():
        raise SettingsError(f"There is no settings file {path}; install one with: stepwell configure import FILE")
    return path, parse_config(_read(str(path)), str(path))


def _shown(name: str, value: str) -> str:
    hidden = SECRETS | {other for secret in SECRETS for other in SETTINGS[secret].metaflow}
    return "(set)" if name in hidden else value


def _write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner can read: it may hold the service's key."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be written: {error.strerror}") from error


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
