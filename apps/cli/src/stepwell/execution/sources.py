"""Where a datastore gets what it does not have yet: the datastores whose runs were resumed into it.

    <root>/sources/<digest of the other root>.json     one other datastore

Records come at once, objects when they are first used, and stay then. That takes a place which all who read this datastore can
reach: of one on S3, that is S3. From a directory into S3, objects come at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cas_store import Backend, Digest, MissingObject, ReadThroughStore

from stepwell.errors import RecordError

if TYPE_CHECKING:
    from stepwell.execution.stores import Stores

SOURCES = "sources/"
FORMAT = 1


def source_roots(records: Backend) -> Iterator[str]:
    """The roots of the other datastores; raises `RecordError` for a record that is damaged or too new."""
    for name in records.names(SOURCES):
        try:
            data = json.loads(records.read(name))
            version, root = data["format"], data["root"]
        except MissingObject:
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"The record {name} is damaged: {error}") from error
        if version != FORMAT:
            raise RecordError(f"The record {name} has format {version}: upgrade stepwell to read it")
        yield root


def read_through(stores: Stores, other: Stores) -> None:
    """From now on a datastore gets objects from another one when they are first used, and from where that one gets them."""
    for root in (other.root, *source_roots(other.records)):
        if root != stores.root and is_within_reach(stores, root):
            name = f"{SOURCES}{hashlib.sha256(root.encode()).hexdigest()[:32]}.json"
            stores.records.create(name, json.dumps({"format": FORMAT, "root": root}).encode())


def is_within_reach(stores: Stores, root: str) -> bool:
    """Whether all who read a datastore can read that other one as well."""
    return stores.is_local or root.startswith("s3://")


def bring(stores: Stores, other: Stores, digests: Iterable[Digest]) -> None:
    """Get now, from another datastore, what the readers of this one cannot get from there themselves."""
    roots = [other.root, *source_roots(other.records)]
    contents = [stores.elsewhere(root).content for root in roots if not is_within_reach(stores, root)]
    if not contents:
        return
    wanted = list(dict.fromkeys(digests))
    for content in contents:
        near = ReadThroughStore(stores.content.backend, lambda content=content: [content])  # type: ignore[misc]
        near.fetch(digest for digest in wanted if digest in content)
    stores.content.confirm(digest for digest in wanted if digest in stores.content)
