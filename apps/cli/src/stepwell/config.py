"""Settings: where they come from and what is in force.

An environment variable wins over the configuration file, which wins over the default. The file is JSON,
`<STEPWELL_CONFIG_DIR>/config.json` or `config_<profile>.json`; it holds the same names as the environment, and
names of Metaflow's configuration (`METAFLOW_*`) that mean the same are understood.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from stepwell.errors import SettingsError

LOCAL_DIRECTORY = ".stepwell"


@attrs.frozen
class Setting:
    """One setting: its name, its default, and the names Metaflow gives the same thing."""

    name: str
    default: str | None = None
    metaflow: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("STEPWELL_USER", None, ("METAFLOW_USER",)),
        Setting("STEPWELL_DEFAULT_DECOSPECS", None, ("METAFLOW_DEFAULT_DECOSPECS",)),
        Setting("STEPWELL_METADATA", "local", ("METAFLOW_DEFAULT_METADATA",), ("local", "service")),
        Setting("STEPWELL_SERVICE_URL", None, ("METAFLOW_SERVICE_URL",)),
        Setting("STEPWELL_SERVICE_INTERNAL_URL", None, ("METAFLOW_SERVICE_INTERNAL_URL",)),
        Setting("STEPWELL_SERVICE_AUTH_KEY", None, ("METAFLOW_SERVICE_AUTH_KEY",)),
        Setting("STEPWELL_SERVICE_AUTH_SECRET"),
        Setting("STEPWELL_SERVICE_HEADERS", None, ("METAFLOW_SERVICE_HEADERS",)),
        Setting("STEPWELL_DATASTORE", "local", ("METAFLOW_DEFAULT_DATASTORE",), ("local", "s3")),
        Setting("STEPWELL_DATASTORE_ROOT", None, ("METAFLOW_DATASTORE_SYSROOT_S3", "METAFLOW_DATASTORE_SYSROOT_LOCAL")),
        Setting("STEPWELL_S3_ENDPOINT_URL", None, ("METAFLOW_S3_ENDPOINT_URL",)),
        Setting(
            "STEPWELL_S3_SSE", None, ("METAFLOW_S3_SERVER_SIDE_ENCRYPTION",), ("AES256", "aws:kms", "aws:kms:dsse")
        ),
        Setting("STEPWELL_S3_KMS_KEY"),
        Setting("STEPWELL_AWS_REGION", None, ()),
        Setting("STEPWELL_AWS_ENDPOINT_URL", None, ()),
        Setting("STEPWELL_BATCH_QUEUE", None, ("METAFLOW_BATCH_JOB_QUEUE",)),
        Setting("STEPWELL_BATCH_IMAGE", None, ("METAFLOW_BATCH_CONTAINER_IMAGE",)),
        Setting("STEPWELL_BATCH_JOB_ROLE", None, ("METAFLOW_ECS_S3_ACCESS_IAM_ROLE",)),
        Setting("STEPWELL_BATCH_EXECUTION_ROLE", None, ("METAFLOW_ECS_FARGATE_EXECUTION_ROLE",)),
        Setting("STEPWELL_BATCH_TAGS", None, ("METAFLOW_BATCH_DEFAULT_TAGS",)),
        Setting("STEPWELL_BATCH_PIP_INDEX_URL", None, ()),
        Setting("STEPWELL_BATCH_ARCHITECTURE", "x86_64", (), ("x86_64", "aarch64")),
        Setting("STEPWELL_PACKAGE_SUFFIXES", None, ("METAFLOW_DEFAULT_PACKAGE_SUFFIXES",)),
        Setting("STEPWELL_SFN_ROLE", None, ("METAFLOW_SFN_IAM_ROLE",)),
        Setting("STEPWELL_EVENTS_ROLE", None, ("METAFLOW_EVENTS_SFN_ACCESS_IAM_ROLE",)),
        Setting("STEPWELL_EVENT_BUS", None, ()),
        Setting("STEPWELL_NOTIFY_TOPIC", None, ()),
        Setting("STEPWELL_NOTIFY_URL", None, ()),
        Setting("STEPWELL_SFN_PREFIX", None, ("METAFLOW_SFN_STATE_MACHINE_PREFIX",)),
        Setting("STEPWELL_SFN_LOG_GROUP", None, ("METAFLOW_SFN_EXECUTION_LOG_GROUP_ARN",)),
    )
}

SECRETS = frozenset({"STEPWELL_SERVICE_AUTH_KEY", "STEPWELL_SERVICE_HEADERS"})


@attrs.frozen
class Value:
    """A setting's value in force and where it comes from."""

    value: str | None
    source: str


@attrs.frozen
class Settings:
    """The settings of one invocation: overrides (command-line options), environment, file, defaults."""

    file: Mapping[str, str] = attrs.field(factory=dict)
    file_path: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    overrides: Mapping[str, str] = attrs.field(factory=dict)

    def lookup(self, name: str) -> Value:
        """The value of one setting and its source; `KeyError` for a name that is no setting."""
        setting = SETTINGS[name]
        if name in self.overrides:
            return _checked(setting, Value(self.overrides[name], "command line"))
        if self.environment.get(name):
            return _checked(setting, Value(self.environment[name], f"environment variable {name}"))
        for key in (name, *setting.metaflow):
            if self.file.get(key):
                return _checked(setting, Value(str(self.file[key]), f"{self.file_path} ({key})"))
        return Value(setting.default, "default")

    def get(self, name: str) -> str | None:
        """The value of one setting, or None."""
        return self.lookup(name).value

    def require(self, name: str, purpose: str) -> str:
        """The value of a setting that `purpose` cannot do without; raises `SettingsError` where it has none."""
        value = self.get(name)
        if value is None:
            raise SettingsError(
                f"{purpose} needs the setting {name}.\n"
                f"Set the environment variable {name}, or import your administrator's file: stepwell configure import FILE"
            )
        return value

    def override(self, **values: str | None) -> Settings:
        """The same settings with some given on the command line; None leaves a setting as it is."""
        given = {name: value for name, value in values.items() if value is not None}
        return attrs.evolve(self, overrides={**self.overrides, **given})


def _checked(setting: Setting, value: Value) -> Value:
    if setting.choices and value.value not in setting.choices:
        raise SettingsError(
            f"{setting.name} is {value.value!r} (from {value.source}); it must be one of: {', '.join(setting.choices)}"
        )
    return value


def config_directory(environment: Mapping[str, str]) -> Path:
    """The directory of the configuration file."""
    given = environment.get("STEPWELL_CONFIG_DIR")
    if given:
        return Path(given)
    base = environment.get("XDG_CONFIG_HOME") or str(_home() / ".config")
    return Path(base) / "stepwell"


def _home() -> Path:
    """The user's directory; for a user that the system does not know, as in a container, one that holds no settings."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.sep)


def config_path(environment: Mapping[str, str]) -> Path:
    """The configuration file of the profile in force; raises `SettingsError` for a profile that can name no file."""
    profile = environment.get("STEPWELL_PROFILE")
    if profile and not re.fullmatch(r"[A-Za-z0-9._-]+", profile):
        raise SettingsError(f"'{profile}' is no name of a profile: use letters, digits, '.', '_' and '-'")
    return config_directory(environment) / (f"config_{profile}.json" if profile else "config.json")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration file, if there is one; raises `SettingsError` where it is no JSON object."""
    environment = os.environ if environment is None else environment
    path = config_path(environment)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if profile := environment.get("STEPWELL_PROFILE"):
            raise SettingsError(
                f"There is no settings file {path}, which STEPWELL_PROFILE={profile} asks for.\n"
                f"Install one: stepwell configure import FILE --profile {profile}"
            ) from None
        return Settings(environment=environment)
    except OSError as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error.strerror}") from error
    return Settings(file=parse_config(text, str(path)), file_path=str(path), environment=environment)


def parse_config(text: str, origin: str) -> dict[str, str]:
    """The settings in a configuration file's text."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SettingsError(
            f"{origin} is no JSON: {error}.\nImport it again: stepwell configure import FILE"
        ) from error
    if not isinstance(data, dict):
        raise SettingsError(f"{origin} must hold one JSON object of settings, not a {type(data).__name__}")
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}


def user_name(settings: Settings) -> str:
    """Who runs this: the setting, else the login name of the person behind `sudo`, else the process's user."""
    given = settings.get("STEPWELL_USER")
    if given:
        return given
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"):
        value = settings.environment.get(name)
        if value:
            return value
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise SettingsError("Nobody knows who you are: set STEPWELL_USER to your name") from error


def default_decorators(settings: Settings) -> tuple[str, ...]:
    """The decorators that every flow gets as if by `--with`, separated by spaces in the setting."""
    given = settings.get("STEPWELL_DEFAULT_DECOSPECS") or settings.environment.get("METAFLOW_DEFAULT_DECOSPECS") or ""
    return tuple(given.split())


def local_root(start: Path | None = None) -> Path:
    """The nearest directory upwards that holds `.stepwell`, as `<it>/.stepwell`; else the one to make in `start`."""
    start = (start or Path.cwd()).resolve()
    for directory in (start, *start.parents):
        candidate = directory / LOCAL_DIRECTORY
        if candidate.is_dir():
            return candidate
    return start / LOCAL_DIRECTORY


def root_of_datastore(place: str) -> str:
    """The root of a datastore, as people name it: `s3://bucket/prefix`, a `.stepwell`, or the directory that holds one.

    Raises `SettingsError` where there is no such directory.
    """
    if place.startswith("s3://"):
        return place.rstrip("/")
    directory = Path(place).expanduser()
    if directory.name != LOCAL_DIRECTORY and (directory / LOCAL_DIRECTORY).is_dir():
        directory /= LOCAL_DIRECTORY
    if not directory.is_dir():
        raise SettingsError(f"There is no datastore {place}: name a directory that holds one, or s3://bucket/prefix")
    return str(directory.resolve())


def datastore_root(settings: Settings) -> str:
    """Where artifacts live: a directory, or `s3://bucket/prefix`; raises `SettingsError` where S3 has no root."""
    root = settings.get("STEPWELL_DATASTORE_ROOT")
    if settings.get("STEPWELL_DATASTORE") == "s3":
        root = settings.require("STEPWELL_DATASTORE_ROOT", "The datastore on S3")
        if not root.startswith("s3://"):
            raise SettingsError(
                f"STEPWELL_DATASTORE is 's3', but STEPWELL_DATASTORE_ROOT is {root!r}: it must be s3://bucket/prefix"
            )
        return root.rstrip("/")
    if root and not root.startswith("s3://"):
        return str(Path(root).expanduser().resolve())
    return str(local_root())


def s3_encryption(settings: Settings) -> dict[str, str]:
    """How S3 is to encrypt what is written, as options of its requests; a key alone means `aws:kms`."""
    key = settings.get("STEPWELL_S3_KMS_KEY")
    way = settings.get("STEPWELL_S3_SSE") or ("aws:kms" if key else None)
    if key and way == "AES256":
        raise SettingsError(
            "STEPWELL_S3_KMS_KEY names a key, which STEPWELL_S3_SSE=AES256 does not use: set it to aws:kms"
        )
    given = {"ServerSideEncryption": way, "SSEKMSKeyId": key}
    return {name: value for name, value in given.items() if value}


def metadata_url(settings: Settings) -> str:
    """Where executions are recorded: the service's URL, or `sqlite:///path` beside the local datastore."""
    if settings.get("STEPWELL_METADATA") == "service":
        return settings.require("STEPWELL_SERVICE_URL", "The metadata service").rstrip("/")
    root = settings.get("STEPWELL_DATASTORE_ROOT")
    directory = Path(root).expanduser().resolve() if root and not root.startswith("s3://") else local_root()
    return f"sqlite:///{directory / 'metadata.db'}"


def service_options(settings: Settings) -> dict[str, Any]:
    """What the metadata service wants to see besides its URL.

    Raises `SettingsError` for headers that are no JSON object, `SecretsError` for a key that cannot be fetched.
    """
    if settings.get("STEPWELL_METADATA") != "service":
        return {}
    headers = settings.get("STEPWELL_SERVICE_HEADERS")
    key = settings.get("STEPWELL_SERVICE_AUTH_KEY")
    secret = settings.get("STEPWELL_SERVICE_AUTH_SECRET")
    if secret and not key:
        from stepwell.aws_secrets import service_key

        key = service_key(secret, settings.get("STEPWELL_AWS_REGION"), settings.get("STEPWELL_AWS_ENDPOINT_URL"))
    return {
        "auth_key": key,
        "headers": parse_config(headers, "STEPWELL_SERVICE_HEADERS") if headers else None,
    }
