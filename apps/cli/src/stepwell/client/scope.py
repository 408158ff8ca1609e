"""The namespace, and the stores that the Client API reads."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.api.current import current
from stepwell.config import (
    LOCAL_DIRECTORY,
    Settings,
    datastore_root,
    load_settings,
    metadata_url,
    s3_encryption,
    service_options,
    user_name,
)
from stepwell.errors import SettingsError
from stepwell.execution.stores import Stores, stores_at

if TYPE_CHECKING:
    from meta_client import MetadataStore

_UNSET = object()
_namespace: object = _UNSET
_settings: Settings | None = None


def use_settings(settings: Settings) -> None:
    """Look into the stores that these settings name, instead of those that the environment does."""
    global _settings
    _settings = settings


def _in_force() -> Settings:
    return _settings or load_settings()


def namespace(name: str | None) -> str | None:
    """Show only runs tagged with this namespace, such as `user:ann`; None shows all. Gives the namespace now in force."""
    global _namespace
    _namespace = name
    return get_namespace()


def get_namespace() -> str | None:
    """The namespace in force."""
    return default_namespace_name() if _namespace is _UNSET else _namespace  # type: ignore[return-value]


def default_namespace() -> str | None:
    """Go back to the namespace of the user, and give it."""
    return namespace(default_namespace_name())


def default_namespace_name() -> str:
    """The namespace of whoever runs this; in a step, that of the run, also where a job runs it as somebody else."""
    return current.namespace or f"user:{user_name(_in_force())}"


def metadata(where: str) -> str:
    """Look at the executions of another place, and give it as `get_metadata` would.

    `local@DIRECTORY` is a local datastore, as its `.stepwell` or what holds that; `service@URL` a metadata service, with the
    datastore that the settings name. A URL or a directory alone is understood, too. Raises `SettingsError` for anything else.
    """
    kind, at, place = where.partition("@")
    if not at or kind not in ("local", "service"):
        kind, place = ("service" if where.startswith(("http://", "https://")) else "local"), where
    if kind == "service":
        if not place.startswith(("http://", "https://")):
            raise SettingsError(f"'{where}' names no metadata service: write service@http://host:port")
        use_settings(load_settings().override(STEPWELL_METADATA="service", STEPWELL_SERVICE_URL=place))
    else:
        directory = Path(place).expanduser()
        if directory.name != LOCAL_DIRECTORY and (directory / LOCAL_DIRECTORY).is_dir():
            directory /= LOCAL_DIRECTORY
        if not directory.is_dir():
            raise SettingsError(f"There is no directory {directory} for local metadata; write local@DIRECTORY")
        root = str(directory.resolve())
        use_settings(
            load_settings().override(
                STEPWELL_METADATA="local", STEPWELL_DATASTORE="local", STEPWELL_DATASTORE_ROOT=root
            )
        )
    return get_metadata()


def get_metadata() -> str:
    """Where the Client API looks: `local@DIRECTORY` or `service@URL`."""
    settings = _in_force()
    if settings.get("STEPWELL_METADATA") == "service":
        return f"service@{metadata_url(settings)}"
    return f"local@{Path(metadata_url(settings).removeprefix('sqlite:///')).parent}"


def default_metadata() -> str:
    """Go back to the place that the settings name, and give it."""
    global _settings
    _settings = None
    return get_metadata()


def metadata_store(create: bool = False) -> MetadataStore:
    """The metadata store that the settings name; one per place, shared.

    A local one that is not there is made where `create`, else it is an empty one: a look makes no `.stepwell`.
    """
    settings = _in_force()
    options = service_options(settings)
    url = metadata_url(settings)
    if not create and url.startswith("sqlite:") and not Path(url.removeprefix("sqlite:///")).exists():
        from meta_client import EmbeddedStore

        return EmbeddedStore(":memory:")  # a new one each time: it does not outlive a fork
    return _metadata_store(url, json.dumps(options))


def datastore() -> Stores:
    """The datastore that the settings name; one per place, shared."""
    settings = _in_force()
    encryption = tuple(s3_encryption(settings).items())
    return _datastore(datastore_root(settings), settings.get("STEPWELL_S3_ENDPOINT_URL"), encryption)


@functools.cache
def _metadata_store(url: str, options: str) -> MetadataStore:
    from meta_client import open_store

    return open_store(url, **json.loads(options))


@functools.cache
def _datastore(root: str, endpoint: str | None, encryption: tuple[tuple[str, str], ...]) -> Stores:
    return stores_at(root, endpoint, encryption=dict(encryption))
