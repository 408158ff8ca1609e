"""All parts of the contract in one class."""

from meta_client.testing.creating import Creating
from meta_client.testing.deleting import Deleting
from meta_client.testing.finding import Finding
from meta_client.testing.living import Living
from meta_client.testing.registering import Registering
from meta_client.testing.tagging import Tagging


class MetadataStoreContract(Creating, Registering, Finding, Tagging, Deleting, Living):
    """Every test that a metadata store passes; a subclass has the fixture ``opener``.

    ``opener`` is called to open a store; each of a test's stores is on the same data and is closed after it. The data may
    outlive a test, and others may write to it at the same time: every test has a flow of its own.
    """
