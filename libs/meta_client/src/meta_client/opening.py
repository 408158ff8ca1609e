"""Open a metadata store by its URL."""

from __future__ import annotations

import re
from typing import Any

from meta_client.embedded import EmbeddedStore
from meta_client.errors import UnknownScheme
from meta_client.protocol import MetadataStore

_SQLITE = re.compile(r"sqlite:///+")


def open_store(url: str, **options: Any) -> MetadataStore:
    """The store at ``http://...``, ``https://...`` (a `ServiceStore`) or ``sqlite:///path`` (an `EmbeddedStore`).

    A SQLite path is absolute and taken as it is, not decoded: three slashes or four mean the same. ``options`` are those
    of the store's class. Raises `UnknownScheme`, and what the class raises.
    """
    if not isinstance(url, str):
        raise UnknownScheme(url)
    if url.startswith(("http://", "https://")):
        from meta_client.service import ServiceStore

        return ServiceStore(url, **options)
    if (match := _SQLITE.match(url)) and match.end() < len(url):
        return EmbeddedStore(f"/{url[match.end() :]}", **options)
    raise UnknownScheme(url)
