"""The embedded store keeps the contract of every metadata store."""

import pytest
from meta_client import EmbeddedStore
from meta_client.testing import MetadataStoreContract


class TestEmbeddedStore(MetadataStoreContract):
    @pytest.fixture
    def opener(self, tmp_path):
        return lambda: EmbeddedStore(tmp_path / "metadata.db")
