"""Claim a run: its number from the metadata store, its name in the datastore, create-if-absent, so that nobody shares it."""

from __future__ import annotations

import datetime as dt
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cas_store import Backend, BadName, MissingObject, Reference, UnserializableObject
from meta_client import Conflict

import stepwell
from stepwell.api.definition import FlowDefinition
from stepwell.api.trigger import RUN
from stepwell.errors import NotFound, StepwellError, UnsavableArtifact
from stepwell.execution.records import EndRecord, RunRecord, encode, find_end, read_run, run_directory
from stepwell.execution.stores import Stores

if TYPE_CHECKING:
    from meta_client import MetadataStore, Run

_MOST_CLASHES = 1000


def system_tags(flow: FlowDefinition, user: str, runtime: str) -> tuple[str, ...]:
    """The tags that stepwell gives every run; `runtime` is "dev" or "production"."""
    project = flow.project(user)
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"user:{user}",
        f"runtime:{runtime}",
        f"python_version:{python}",
        f"stepwell_version:{stepwell.__version__}",
        *(project.tags if project else ()),
    )


def save_values(stores: Stores, values: Mapping[str, Any], what: str) -> dict[str, Reference]:
    """References to a run's parameters or constants; raises `UnsavableArtifact` naming the one that cannot be kept."""
    saved = {}
    for name, value in values.items():
        try:
            saved[name] = stores.objects.save(value)
        except UnserializableObject as error:
            raise UnsavableArtifact(
                f"The {what} '{name}' cannot be kept: {error}\nName it with a leading underscore to leave it out"
            ) from error
    return saved


def save_parameters(stores: Stores, values: Mapping[str, Any], flow: FlowDefinition) -> dict[str, Reference]:
    """References to what a run is started with: parameter values, and the configs of its flow."""
    return {**save_values(stores, values, "parameter"), **save_values(stores, flow.configs, "config")}


def claim_numbered_run(
    store: MetadataStore,
    stores: Stores,
    make: Callable[[str], RunRecord],
    flow: str,
    user: str,
    tags: tuple[str, ...],
    system: tuple[str, ...],
) -> tuple[Run, RunRecord]:
    """Take the next number of the metadata store that nobody claimed in the datastore.

    A number can be taken where two metadata stores share one datastore, or one was restored; then the next is tried.
    """
    store.create_flow(flow, user=user)
    for _ in range(_MOST_CLASHES):
        run = store.create_run(flow, user=user, tags=list(tags), system_tags=list(system))
        record = make(str(run.run_id))
        if claim(stores, record):
            return run, record
    raise StepwellError(
        f"The {_MOST_CLASHES} run numbers tried are all taken in {stores.root}: does another metadata store number its runs too?"
    )


def claim_named_run(
    store: MetadataStore, stores: Stores, make: Callable[[str], RunRecord], flow: str, user: str, run_id: str
) -> tuple[Run, RunRecord]:
    """Claim a run under a name of the caller's, or enter the run of that name again."""
    record = make(run_id)
    if not claim(stores, record):
        record = read_run(stores.records, flow, run_id)
    try:
        run = store.create_run(flow, user=user, tags=record.tags, system_tags=record.system_tags, run_id=run_id)
    except Conflict:
        run = store.get_run(flow, run_id)
    return run, record


def claim(stores: Stores, record: RunRecord) -> bool:
    """Publish a run's record; False where the name is taken."""
    return stores.records.create(f"{run_directory(record.flow, record.run_id)}/run.json", encode(record))


def end_run(stores: Stores, claimed: RunRecord, successful: bool, failed_step: str | None = None, **why: Any) -> None:
    """Record how a run ended; `why` has `failed_task` and `reason` (text), where they are known."""
    record = EndRecord(successful=successful, ended=time.time(), failed_step=failed_step, **why)
    stores.records.replace(f"{run_directory(claimed.flow, claimed.run_id)}/ended.json", encode(record))


def new_claim(
    flow: FlowDefinition,
    stores: Stores,
    run_id: str,
    user: str,
    parameters: Mapping[str, Reference],
    constants: Mapping[str, Reference],
    package: tuple[str, str] | None = None,
    tags: tuple[str, ...] = (),
    system: tuple[str, ...] = (),
    token: str | None = None,
    origin_run_id: str | None = None,
    again: str | None = None,
    origin_datastore: str | None = None,
    trigger: Mapping[str, Any] | None = None,
) -> RunRecord:
    """The record that claims a run. `package` is the code package's digest and where a job finds it."""
    return RunRecord(
        flow=flow.name,
        run_id=run_id,
        token=token or secrets.token_hex(8),
        user=user,
        created=time.time(),
        file=flow.file.name,
        end_step=flow.graph.end,
        parameters=parameters,
        constants=constants,
        package=package[0] if package else None,
        package_url=package[1] if package else None,
        tags=tags,
        system_tags=system,
        origin_run_id=origin_run_id,
        again=again,
        origin_datastore=origin_datastore,
        trigger=trigger,
    )


def triggered_by(pathspec: str, records: Backend) -> dict[str, Any]:
    """What a run's claim says of the end of another run, `Flow/run`, that started it; raises `NotFound` where there is none."""
    flow, _, run_id = pathspec.partition("/")
    try:
        claimed = read_run(records, flow, run_id)
    except (MissingObject, BadName):
        raise NotFound(
            f"There is no run '{pathspec}' to be the trigger; stepwell ls --all lists what there is"
        ) from None
    end = find_end(records, flow, run_id)
    when = dt.datetime.fromtimestamp(end.ended if end else claimed.created, dt.timezone.utc)
    return {"name": f"{flow}.end", "id": pathspec, "time": when.isoformat(), "type": RUN, "run": pathspec}
