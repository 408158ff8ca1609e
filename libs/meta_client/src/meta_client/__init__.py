"""Record and query executions of workflows: runs, steps, tasks, artifact pointers, metadata, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meta_client.background import BackgroundWriter
from meta_client.embedded import EmbeddedStore
from meta_client.errors import (
    Conflict,
    Denied,
    ForeignFile,
    InvalidAnswer,
    InvalidRecord,
    InvalidRequest,
    MetaClientError,
    NotFound,
    SchemaTooNew,
    SchemaTooOld,
    ServiceError,
    ServiceUnavailable,
    StorageFailure,
    StoreBusy,
    StoreClosed,
    TagsContended,
    UnknownScheme,
    Unsupported,
    UntrustedService,
)
from meta_client.opening import open_store
from meta_client.protocol import MetadataStore
from meta_client.records import Artifact, Flow, Id, Metadatum, Run, Step, Task

if TYPE_CHECKING:
    from meta_client.service import ServiceStore

__all__ = [
    "Artifact",
    "BackgroundWriter",
    "Conflict",
    "Denied",
    "EmbeddedStore",
    "Flow",
    "ForeignFile",
    "Id",
    "InvalidAnswer",
    "InvalidRecord",
    "InvalidRequest",
    "MetaClientError",
    "MetadataStore",
    "Metadatum",
    "NotFound",
    "Run",
    "SchemaTooNew",
    "SchemaTooOld",
    "ServiceError",
    "ServiceStore",
    "ServiceUnavailable",
    "Step",
    "StorageFailure",
    "StoreBusy",
    "StoreClosed",
    "TagsContended",
    "Task",
    "UnknownScheme",
    "Unsupported",
    "UntrustedService",
    "open_store",
]


def __getattr__(name: str) -> Any:
    if name == "ServiceStore":  # a third of the time that importing all takes, and of no use to who keeps a file
        from meta_client.service import ServiceStore

        return ServiceStore
    raise AttributeError(f"module 'meta_client' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
