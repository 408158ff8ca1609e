"""Why a path names nothing: which of its names is not there, and what may have been meant."""

from __future__ import annotations

from collections.abc import Sequence

from cas_store import CasStoreError
from meta_client import NotFound as NoSuchRecord

from stepwell.client.scope import datastore, get_metadata, metadata_store
from stepwell.execution.records import run_directory
from stepwell.suggesting import did_you_mean

KINDS = ("flow", "run", "step", "task")
_OF_TASKS = ("/done.json", ".pack", ".log", ".failed.json")


def missing(names: Sequence[str]) -> str:
    """The message for a flow, run, step, task or artifact that is not there, in words that say where to look."""
    path, above = "/".join(names), "/".join(names[:-1])
    if len(names) > len(KINDS):
        return f"The task {above} has no artifact '{names[-1]}'; stepwell show {above} lists what it has"
    flow, run_id, step = (*names, "", "")[:3]
    run, kind = f"{flow}/{run_id}", KINDS[len(names) - 1]
    flows = [one.flow_id for one in metadata_store().list_flows()]
    if flow not in flows:
        what = f"There is no flow '{flow}'" if path == flow else f"There is no {kind} '{path}', and no flow '{flow}'"
        told = f"{did_you_mean(flow, flows)} stepwell ls lists what there is"
        return f"{what} in {get_metadata()}.{untold(flow) or told}"
    if path == run or not _has_run(flow, run_id):
        return f"There is no run '{run}'.{untold(flow, run_id) or f' stepwell ls {flow} lists what there is'}"
    steps = [one.step_name for one in metadata_store().list_steps(flow, run_id)]
    if step not in steps:
        return f"The run {run} has no step '{step}' (yet).{did_you_mean(step, steps)} stepwell ls {run} lists its steps"
    return f"There is no task '{path}' (yet); stepwell ls {above} lists what there is"


def untold(flow: str = "", run_id: str = "") -> str:
    """What to do where the datastore has what tasks (of a flow, of a run) left, and the metadata store does not know it."""
    below = f"{run_directory(flow, run_id)}/" if run_id else f"flows/{flow}/" if flow else "flows/"
    try:
        has_some = any(name.endswith(_OF_TASKS) for name in datastore().records.names(below))
    except CasStoreError:
        return ""
    return f" The datastore {datastore().root} has some, though: stepwell reindex tells of them" if has_some else ""


def _has_run(flow: str, run_id: str) -> bool:
    try:
        metadata_store().get_run(flow, run_id)
    except NoSuchRecord:
        return False
    return True
