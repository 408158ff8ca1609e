"""Record and query executions of workflows: runs, steps, tasks, artifact pointers, metadata, tags."""

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
from meta_client.service import ServiceStore

__all__ = [
    "Artifact",
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
