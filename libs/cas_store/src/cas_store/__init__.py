"""Keep bytes and Python objects exactly once, by content, and get them back verified."""

from cas_store.backend import Backend, Stat
from cas_store.checking import FsckReport
from cas_store.copying import CopyReport, copy, sync
from cas_store.counting import Usage
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
    DamagedReference,
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
from cas_store.progress import Progress
from cas_store.read_through import ReadThroughStore
from cas_store.references import Reference
from cas_store.s3 import S3Backend
from cas_store.serializers import Encoded, Serializer
from cas_store.store import ContentStore, ObjectStat
from cas_store.sweeping import SweepReport

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
    "CopyReport",
    "DamagedObject",
    "DamagedReference",
    "Digest",
    "Encoded",
    "FsckReport",
    "LocalBackend",
    "MemoryBackend",
    "MissingExtra",
    "MissingObject",
    "ObjectStat",
    "ObjectStore",
    "Progress",
    "ReadThroughStore",
    "Reference",
    "S3Backend",
    "Serializer",
    "Stat",
    "StoreFull",
    "SweepRefused",
    "SweepReport",
    "UnloadableObject",
    "UnserializableObject",
    "UnsupportedFormat",
    "Usage",
    "copy",
    "sync",
]
