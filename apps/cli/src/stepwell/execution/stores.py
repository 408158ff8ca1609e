"""Where a task reads and writes: the records and the content store below one datastore root."""

from __future__ import annotations

from pathlib import Path

import attrs
from cas_store import Backend, ContentStore, LocalBackend, ObjectStore

from stepwell.config import Settings, datastore_root


@attrs.frozen
class Stores:
    """One datastore: `records` holds `flows/...` by name, `objects` holds artifacts by content.

    `root` is a directory or `s3://bucket/prefix`.
    """

    root: str
    records: Backend
    objects: ObjectStore

    @property
    def is_local(self) -> bool:
        """Whether the datastore is a directory."""
        return not self.root.startswith("s3://")

    @property
    def kind(self) -> str:
        """What the metadata store calls a datastore of this kind; ours are told from other tools' by it."""
        return "stepwell-local" if self.is_local else "stepwell-s3"

    @property
    def content(self) -> ContentStore:
        """The content store below `objects`."""
        return self.objects.store

    def warm_up(self) -> None:
        """Import and set up what tasks will need, so that forks share it."""
        self.records.warm_up()
        self.content.warm_up()


def open_stores(settings: Settings) -> Stores:
    """The datastore that the settings name. Nothing is touched before the first read or write."""
    return stores_at(datastore_root(settings), s3_endpoint=settings.get("STEPWELL_S3_ENDPOINT_URL"))


def stores_at(root: str, s3_endpoint: str | None = None) -> Stores:
    """The datastore at `root`, a directory or `s3://bucket/prefix`."""
    if root.startswith("s3://"):
        return _s3_stores(root, s3_endpoint)
    directory = Path(root)
    return Stores(
        root=root,
        records=LocalBackend(directory, fsync="never"),
        objects=ObjectStore(ContentStore(LocalBackend(directory / "objects", fsync="never"))),
    )


def _s3_stores(root: str, endpoint: str | None) -> Stores:
    from cas_store import S3Backend

    return Stores(
        root=root,
        records=S3Backend(root, endpoint_url=endpoint),
        objects=ObjectStore(ContentStore(S3Backend(f"{root}/objects", endpoint_url=endpoint))),
    )
