"""Keep bytes and Python objects exactly once, by content, and get them back verified."""

from cas_store.backend import Backend, Stat
from cas_store.digests import Digest
from cas_store.errors import (
    AccessDenied,
    ArchivedObject,
    BackendError,
    BackendUnavailable,
    BadDigest,
    BadName,
    CasStoreError,
    DamagedObject,
    MissingExtra,
    MissingObject,
    StoreFull,
    SweepRefused,
    UnloadableObject,
    UnserializableObject,
    UnsupportedFormat,
)
from cas_store.local import LocalBackend
from cas_store.memory import MemoryBackend
from cas_store.objects import ObjectStore
from cas_store.references import Reference
from cas_store.s3 import S3Backend
from cas_store.serializers import Encoded, Serializer
from cas_store.store import ContentStore, ObjectStat

__all__ = [
    "AccessDenied",
    "ArchivedObject",
    "Backend",
    "BackendError",
    "BackendUnavailable",
    "BadDigest",
    "BadName",
    "CasStoreError",
    "ContentStore",
    "DamagedObject",
    "Digest",
    "Encoded",
    "LocalBackend",
    "MemoryBackend",
    "MissingExtra",
    "MissingObject",
    "ObjectStat",
    "ObjectStore",
    "Reference",
    "S3Backend",
    "Serializer",
    "Stat",
    "StoreFull",
    "SweepRefused",
    "UnloadableObject",
    "UnserializableObject",
    "UnsupportedFormat",
]
