"""Runs of other tools that share the metadata service: they are listed, their data stays theirs."""

from __future__ import annotations

from collections.abc import Iterable

from meta_client import Metadatum
from meta_client import Task as TaskEntry

from stepwell.client.node import value_of
from stepwell.client.scope import metadata_store
from stepwell.errors import ForeignRun

END = "end"


def is_foreign(system_tags: Iterable[str]) -> bool:
    """Whether a run was recorded by another tool: ours all say which version of stepwell ran them."""
    return value_of(system_tags, "stepwell_version") is None


def refusal(pathspec: str) -> ForeignRun:
    """The error for whoever asks for the data of such a run."""
    return ForeignRun(
        f"{pathspec} was run by another tool that shares this metadata service: stepwell lists it, but cannot read its data"
    )


def attempt_status(task: TaskEntry) -> Metadatum | None:
    """How the latest attempt of a task ended, by the metadata that every tool of this family registers; None before."""
    newest_first = metadata_store().list_metadata(task)
    return next((one for one in newest_first if one.field_name == "attempt_ok"), None)


def end_task(flow: str, run_id: str) -> TaskEntry | None:
    """The task that ended a run, if it ended well."""
    tasks = metadata_store().list_tasks(flow, run_id, END)
    return next((task for task in tasks if (status := attempt_status(task)) and status.value == "True"), None)
