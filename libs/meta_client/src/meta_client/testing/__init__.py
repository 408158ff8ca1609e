"""The suite that every `meta_client.MetadataStore` passes, for whoever writes one. Needs pytest.

Subclass `MetadataStoreContract` in a test module and say how your store is opened::

    class TestMyStore(MetadataStoreContract):
        @pytest.fixture
        def opener(self):
            return lambda: MyStore(...)
"""

import pytest

pytest.register_assert_rewrite(
    "meta_client.testing.base",
    "meta_client.testing.creating",
    "meta_client.testing.deleting",
    "meta_client.testing.finding",
    "meta_client.testing.living",
    "meta_client.testing.registering",
    "meta_client.testing.tagging",
)

from meta_client.testing.contract import MetadataStoreContract  # noqa: E402  # asserts are rewritten at import

__all__ = ["MetadataStoreContract"]
