"""Where a task reads and writes: the records and the content store below one datastore root."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
from cas_store import Backend, LocalBackend, ObjectStore, ReadThroughStore
from cas_store.retrying import RetryPolicy

from stepwell.config import Settings, datastore_root, s3_encryption
from stepwell.execution.sources import source_roots


@attrs.frozen
class Stores:
    """One datastore: `records` holds `flows/...` by name, `content` keeps bytes by what they are, `objects` artifacts in it.

    `root` is a directory or `s3://bucket/prefix`. `elsewhere` gives the datastore at another root, S3 reached the same way.
    """

    root: str
    records: Backend
    content: ReadThroughStore
    elsewhere: Callable[[str], Stores] = attrs.field(default=lambda root: stores_at(root), eq=False, repr=False)
    objects: ObjectStore = attrs.field(init=False, eq=False, repr=False)

    @objects.default
    def _objects(self) -> ObjectStore:
        return ObjectStore(self.content)

    @property
    def is_local(self) -> bool:
        """Whether the datastore is a directory."""
        return not self.root.startswith("s3://")

    @property
    def kind(self) -> str:
        """What the metadata store calls a datastore of this kind; ours are told from other tools' by it."""
        return "stepwell-local" if self.is_local else "stepwell-s3"

    def warm_up(self) -> None:
        """Import and set up what tasks will need, so that forks share it."""
        self.records.warm_up()
        self.content.warm_up()
        if self.is_local:  # else the way to S3 is set up, and nobody is asked for sources
            for source in self.content.sources():
                source.warm_up()


def open_stores(settings: Settings) -> Stores:
    """The datastore that the settings name. Nothing is touched before the first read or write."""
    return open_stores_at(datastore_root(settings), settings)


def open_stores_at(root: str, settings: Settings) -> Stores:
    """The datastore at `root`, S3 reached as the settings say."""
    return stores_at(root, settings.get("STEPWELL_S3_ENDPOINT_URL"), encryption=s3_encryption(settings))


def stores_at(
    root: str,
    s3_endpoint: str | None = None,
    patience: RetryPolicy | None = None,
    encryption: Mapping[str, str] | None = None,
) -> Stores:
    """The datastore at `root`, a directory or `s3://bucket/prefix`.

    `patience` is for S3 that is away, `encryption` says how it encrypts what is written (see `config.s3_encryption`).
    """
    records: Backend
    objects: Backend
    if root.startswith("s3://"):
        from cas_store import S3Backend

        records = S3Backend(root, endpoint_url=s3_endpoint, retry=patience, put_options=encryption)
        objects = records.below("objects")
    else:
        directory = Path(root)
        records, objects = (LocalBackend(place, fsync="never") for place in (directory, directory / "objects"))
    elsewhere = functools.cache(lambda root: stores_at(root, s3_endpoint, patience, encryption))
    content = ReadThroughStore(objects, lambda: [elsewhere(root).content for root in source_roots(records)])
    return Stores(root, records, content, elsewhere)
