"""meta_client's own suite for metadata stores, over HTTP and real Postgres: client and server cannot drift apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from meta_client import MetadataStore, ServiceStore
from meta_client.testing import MetadataStoreContract
from support import Service


class TestServiceStore(MetadataStoreContract):
    @pytest.fixture
    def opener(self, service: Service) -> Callable[[], MetadataStore]:
        return lambda: ServiceStore(service.url)
