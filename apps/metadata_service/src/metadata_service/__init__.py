"""The shared metadata service: Flask over Postgres, with the HTTP API that workflow clients already speak."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metadata_service.errors import MetadataServiceError
from metadata_service.settings import Settings

if TYPE_CHECKING:
    from metadata_service.app import create_app

__all__ = ["MetadataServiceError", "Settings", "create_app"]


def __getattr__(name: str) -> Any:
    """Import Flask and psycopg2 with `create_app`, not before: the command line answers without them."""
    if name == "create_app":
        return import_module("metadata_service.app").create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
