"""The namespace, and the stores that the Client API reads."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

from stepwell.api.current import current
from stepwell.config import Settings, datastore_root, load_settings, metadata_url, service_options, user_name
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


def metadata_store() -> MetadataStore:
    """The metadata store that the settings name; one per place, shared."""
    settings = _in_force()
    options = service_options(settings)
    return _metadata_store(metadata_url(settings), json.dumps(options))


def datastore() -> Stores:
    """The datastore that the settings name; one per place, shared."""
    settings = _in_force()
    return _datastore(datastore_root(settings), settings.get("STEPWELL_S3_ENDPOINT_URL"))


@functools.cache
def _metadata_store(url: str, options: str) -> MetadataStore:
    from meta_client import open_store

    return open_store(url, **json.loads(options))


@functools.cache
def _datastore(root: str, endpoint: str | None) -> Stores:
    return stores_at(root, endpoint)
