"""Start a run on this machine and see it through: the claim, the launchers, the schedule, the end."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from cas_store import Reference

from stepwell.api.decorators.kinds import Batch, Environment
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, metadata_url, service_options, user_name
from stepwell.errors import RunFailed, SettingsError
from stepwell.execution.claims import claim_named_run, claim_numbered_run, end_run, new_claim, save_values, system_tags
from stepwell.execution.records import RunRecord
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores, open_stores
from stepwell.execution.task import run as run_task
from stepwell.scheduling import forkserver
from stepwell.scheduling.console import Console
from stepwell.scheduling.launchers import ForkLauncher, FreshLauncher, Launcher, worker_command
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.resuming import Origin, find_origin
from stepwell.scheduling.schedule import Limits, Schedule
from stepwell.scheduling.signals import held_signals

if TYPE_CHECKING:
    from meta_client import MetadataStore, Run


@attrs.frozen
class RunOptions:
    """What the command line says about a run. `fresh` gives every task an interpreter of its own."""

    limits: Limits = attrs.field(factory=Limits)
    tags: tuple[str, ...] = ()
    fresh: bool = False
    quiet: bool = False
    run_id_file: Path | None = None
    runner_attribute_file: Path | None = None

    def announce(self, claimed: RunRecord) -> None:
        """Say in the files that the caller asked for which run it is."""
        if self.run_id_file:
            self.run_id_file.write_text(claimed.run_id, encoding="utf-8")
        if self.runner_attribute_file:
            facts = {"flow_name": claimed.flow, "run_id": claimed.run_id}
            self.runner_attribute_file.write_text(json.dumps(facts) + "\n", encoding="utf-8")


@attrs.frozen
class Beginning:
    """What a run begins with. `origin` is the run that it resumes, `run_id` a name that the caller gives it."""

    parameters: Mapping[str, Reference]
    constants: Mapping[str, Reference]
    origin: Origin | None = None
    run_id: str | None = None


def run_flow(flow: FlowDefinition, values: Mapping[str, Any], settings: Settings, options: RunOptions) -> RunRecord:
    """Run a flow with these parameter values; raises `RunFailed` where it does not succeed."""

    def begin(stores: Stores, metadata: MetadataStore, user: str) -> Beginning:
        return Beginning(save_values(stores, values, "parameter"), save_values(stores, flow.constants, "constant"))

    return _see_through(flow, begin, settings, options)


@attrs.frozen
class ResumeRequest:
    """Which run to resume (None: the user's latest), which step to run again, and what the new run is called."""

    origin_run_id: str | None = None
    step: str | None = None
    run_id: str | None = None


def resume_flow(flow: FlowDefinition, request: ResumeRequest, settings: Settings, options: RunOptions) -> RunRecord:
    """Run a flow with what an earlier run has finished, and with its parameters; raises `RunFailed`, `NotFound`."""

    def begin(stores: Stores, metadata: MetadataStore, user: str) -> Beginning:
        origin = find_origin(flow, metadata, stores.records, user, request.origin_run_id, request.step)
        origin.entered_again = request.run_id is not None
        constants = save_values(stores, flow.constants, "constant")
        return Beginning(origin.run.parameters, constants, origin, request.run_id)

    return _see_through(flow, begin, settings, options)


Begin = Callable[[Stores, "MetadataStore", str], Beginning]


def _see_through(flow: FlowDefinition, begin: Begin, settings: Settings, options: RunOptions) -> RunRecord:
    """Claim a run and run it to its end."""
    from meta_client import open_store

    stores = open_stores(settings)
    user = user_name(settings)
    _check_batch(flow, stores, settings)
    server = None
    if (why_not := _why_not_fork(options)) is None:
        stores.warm_up()
        server = forkserver.start(lambda text: run_task(TaskSpec.from_json(text), stores, flow).exit_code)
    console = Console(options.quiet)
    if why_not:
        console.warn(f"Every task gets a fresh interpreter, which is slower: {why_not}")
    with open_store(metadata_url(settings), **service_options(settings)) as metadata, contextlib.ExitStack() as stack:
        beginning = begin(stores, metadata, user)
        stack.enter_context(held_signals())
        run, claimed = _claim(flow, stores, metadata, beginning, user, options.tags)
        options.announce(claimed)
        recorder = Recorder(metadata, run, console.warn)
        schedule = Schedule(flow, claimed, stores, recorder, console, options.limits, beginning.origin)
        console.event(f"Workflow starting (run-id {claimed.run_id}):")
        started = time.monotonic()
        succeeded = False
        try:
            with _launchers(flow, schedule, claimed, stores, settings, server) as launchers:
                schedule.run(launchers)
            succeeded = True
        except RunFailed as error:
            console.failed("Workflow failed.")
            error.add_hint(f"To go on from there: python {flow.file.name} resume --origin-run-id {claimed.run_id}")
            raise
        finally:
            end_run(stores, claimed, succeeded, schedule.failed_step)
            recorder.close()
            schedule.loop.close()
        console.succeeded(f"Done! ({time.monotonic() - started:.1f} s)")
        return claimed


def _claim(
    flow: FlowDefinition,
    stores: Stores,
    metadata: MetadataStore,
    beginning: Beginning,
    user: str,
    tags: tuple[str, ...],
) -> tuple[Run, RunRecord]:
    package = _package(flow, stores)
    system = system_tags(flow, user, "dev")
    origin = beginning.origin.run.run_id if beginning.origin else None

    def make(run_id: str) -> RunRecord:
        return new_claim(
            flow,
            stores,
            run_id,
            user,
            beginning.parameters,
            beginning.constants,
            package,
            tags,
            system,
            origin_run_id=origin,
        )

    if beginning.run_id is not None:
        return claim_named_run(metadata, stores, make, flow.name, user, beginning.run_id)
    return claim_numbered_run(metadata, stores, make, flow.name, user, tags, system)


def _why_not_fork(options: RunOptions) -> str | None:
    """Why tasks cannot be forks of this process; None where they can."""
    if options.fresh:
        return "--fresh asks for it"
    if sys.platform != "linux":
        return f"forking is not safe on {sys.platform}"
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        return f"importing the flow started threads ({', '.join(others[:3])}), which do not survive a fork"
    return None


@contextlib.contextmanager
def _launchers(
    flow: FlowDefinition,
    schedule: Schedule,
    claimed: RunRecord,
    stores: Stores,
    settings: Settings,
    server: tuple[Any, int] | None,
) -> Iterator[Mapping[type, Launcher]]:
    fresh = FreshLauncher(schedule.loop, schedule, worker_command(str(flow.file), [stores.root]), flow.variables)
    local = ForkLauncher(schedule.loop, schedule, *server) if server else fresh
    launchers: dict[type, Launcher] = {type(None): local, Environment: fresh}
    if _uses_batch(flow):
        from stepwell.deploying.batch import BatchLauncher

        launchers[Batch] = BatchLauncher(schedule.loop, schedule, flow, claimed, stores, settings)
    try:
        yield launchers
    finally:
        for launcher in launchers.values():
            launcher.close()


def _uses_batch(flow: FlowDefinition) -> bool:
    return any(flow.decorator(node.name, Batch) for node in flow.graph)


def _check_batch(flow: FlowDefinition, stores: Stores, settings: Settings) -> None:
    if not _uses_batch(flow):
        return
    if stores.is_local:
        raise SettingsError("Steps on AWS Batch need a datastore that the jobs can reach: add --datastore s3")
    settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch")


def _package(flow: FlowDefinition, stores: Stores) -> tuple[str, str] | None:
    """The code package that jobs elsewhere unpack; a run on this machine needs none."""
    if not _uses_batch(flow):
        return None
    from stepwell.deploying.package import upload_package

    return upload_package(flow.file, stores)
