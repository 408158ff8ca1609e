"""`stepwell configure`, `stepwell status`, `stepwell version`: this installation and its settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup
from stepwell.config import SECRETS, SETTINGS, Settings, config_path, load_settings, parse_config
from stepwell.errors import SettingsError
from stepwell.suggesting import did_you_mean
from stepwell.whole_files import write_whole

of_profile = click.option(
    "--profile",
    envvar="STEPWELL_PROFILE",
    metavar="NAME",
    help="The settings of this name instead of the default ones.",
)


@click.group("configure", cls=StrictGroup, help="Install, show, export, check and remove the administrator's settings.")
def configure() -> None:
    """Only groups the commands."""


@configure.command(
    "import",
    help="Check a settings file (JSON) and install it; - reads standard input.",
    epilog=examples("stepwell configure import team.json", "stepwell configure import team.json --profile test"),
)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--no-connect", is_flag=True, help="Do not try whether the services that it names answer.")
@of_profile
def import_(file: str, no_connect: bool, profile: str | None) -> None:
    """Make a settings file the one in force; refuses one that lacks something."""
    from stepwell.configuring import problems, translate

    origin = "standard input" if file == "-" else file
    translated = translate(parse_config(_read(file), origin))
    settings = Settings(file=translated.settings, file_path=origin)
    if wrong := problems(settings):
        raise SettingsError("\n".join([f"{origin} was not installed: it is wrong or lacks something", *wrong]))
    path = _path(profile)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_private(path, json.dumps(translated.settings, indent=2) + "\n")
    print(f"Installed {len(translated.settings)} settings into {path}")
    for name in translated.unused:
        meant = did_you_mean(name, SETTINGS) if name.startswith("STEPW") else ""
        print(f"Warning: this version of stepwell does not use {name}.{meant}", file=sys.stderr)
    if not no_connect and not _all_answer(settings):
        print("Warning: runs will fail until they answer. Ask again with: stepwell configure validate", file=sys.stderr)


def _path(profile: str | None) -> Path:
    return config_path({**os.environ, "STEPWELL_PROFILE": profile or ""})


def _all_answer(settings: Settings) -> bool:
    """Ask the places that settings name, and say what they answer."""
    from stepwell.configuring import ask

    answers = list(ask(settings))
    for answer in answers:
        said = f"does not answer: {answer.error}" if answer.error else "answers"
        print(f"{answer.what:9}  {answer.place}  {said}")
    return not any(answer.error for answer in answers)


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}") from error


@configure.command(
    "show",
    help="Print the settings file that is in force; secrets are not shown.",
    epilog=examples("stepwell configure show"),
)
@of_profile
def show(profile: str | None) -> None:
    """Print the file's settings."""
    path, settings = _installed(profile)
    print(f"# {path}")
    print(json.dumps({name: _shown(name, value) for name, value in settings.items()}, indent=2))


@configure.command(
    "export",
    help="Write the settings file, with its secrets, into FILE; - prints it.",
    epilog=examples("stepwell configure export settings.json", "stepwell configure export - --profile test"),
)
@click.argument("file", type=click.Path(allow_dash=True))
@of_profile
def export(file: str, profile: str | None) -> None:
    """Copy the file's settings to where `import` can read them."""
    path, settings = _installed(profile)
    text = json.dumps(settings, indent=2) + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    _write_private(Path(file), text)
    print(f"Wrote the settings of {path} into {file}")


@configure.command(
    "reset",
    help="Remove the settings file: the defaults are in force then.",
    epilog=examples("stepwell configure reset --yes"),
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@of_profile
def reset(yes: bool, profile: str | None) -> None:
    """Remove the file, after asking."""
    path, _ = _installed(profile)
    if not yes:
        click.confirm(f"Remove {path}?", abort=True)
    path.unlink()
    print(f"Removed {path}")


@configure.command(
    "validate",
    help="Check the settings in force, and that datastore and metadata store answer.",
    epilog=examples("stepwell configure validate", "stepwell configure validate --profile test"),
)
@of_profile
def validate(profile: str | None) -> None:
    """Exits with 1 where something is wrong or missing, or does not answer."""
    from stepwell.configuring import problems

    settings = load_settings({**os.environ, "STEPWELL_PROFILE": profile or ""})
    if wrong := problems(settings):
        raise SettingsError("\n".join(wrong))
    if not _all_answer(settings):
        raise SystemExit(1)


def _installed(profile: str | None) -> tuple[Path, dict[str, str]]:
    """The settings file of a profile and what it says; raises `SettingsError` where there is none."""
    path = _path(profile)
    if not path.exists():
        raise SettingsError(f"There is no settings file {path}; install one with: stepwell configure import FILE")
    return path, parse_config(_read(str(path)), str(path))


def _shown(name: str, value: str) -> str:
    hidden = SECRETS | {other for secret in SECRETS for other in SETTINGS[secret].metaflow}
    return "(set)" if name in hidden else value


def _write_private(path: Path, text: str) -> None:
    """Only its owner can read it: it may hold the service's key."""
    try:
        write_whole(path, text, mode=0o600)
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be written: {error.strerror}") from error


@click.command(
    "status",
    help="Show the settings in force and where they come from.",
    epilog=examples("stepwell status", "STEPWELL_PROFILE=test stepwell status --json"),
)
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
    print(f"settings   {settings.file_path or f'{config_path(os.environ)} (there is none)'}")
    print(f"user       {user_name(settings)}")
    print(f"datastore  {datastore_root(settings)}")
    print(f"metadata   {metadata_url(settings)}")
    for name, value in values.items():
        if value.value is not None:
            print(f"{name} = {shown[name]}    ({value.source})")
    for name in sorted(os.environ):
        if name.startswith("STEPWELL_") and name not in SETTINGS and (meant := _meant(name)):
            print(f"Warning: {name} is set, and is no setting.{meant}", file=sys.stderr)


def _meant(variable: str) -> str:
    """What a variable that is no setting may be meant for; nothing for those that only begin as settings do."""
    nearest = did_you_mean(
        variable.removeprefix("STEPWELL_"), (name.removeprefix("STEPWELL_") for name in SETTINGS), 0.8
    )
    return nearest.replace("'", "'STEPWELL_", 1)
