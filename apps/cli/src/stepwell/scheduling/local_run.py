"""Start a run on this machine and see it through: the claim, the launchers, the schedule, the end."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from stepwell.api.decorators.kinds import Batch
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, metadata_url, service_options, user_name
from stepwell.errors import RunFailed, SettingsError
from stepwell.execution.claims import claim_numbered_run, end_run, new_claim, save_values, system_tags
from stepwell.execution.records import RunRecord
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores, open_stores
from stepwell.execution.task import run as run_task
from stepwell.scheduling import forkserver
from stepwell.scheduling.console import Console
from stepwell.scheduling.launchers import ForkLauncher, FreshLauncher, Launcher, worker_command
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.schedule import Limits, Schedule


@attrs.frozen
class RunOptions:
    """What the command line says about a run. `fresh` gives every task an interpreter of its own."""

    limits: Limits = attrs.field(factory=Limits)
    tags: tuple[str, ...] = ()
    fresh: bool = False
    quiet: bool = False
    run_id_file: Path | None = None


def run_flow(flow: FlowDefinition, values: Mapping[str, Any], settings: Settings, options: RunOptions) -> RunRecord:
    """Run a flow with these parameter values; raises `RunFailed` where it does not succeed."""
    from meta_client import open_store

    stores = open_stores(settings)
    user = user_name(settings)
    _check_batch(flow, stores, settings)
    server = None
    if (why_not := _why_not_fork(options)) is None:
        server = forkserver.start(lambda text: run_task(TaskSpec.from_json(text), stores, flow).exit_code)
    console = Console(options.quiet)
    if why_not:
        console.warn(f"Every task gets a fresh interpreter, which is slower: {why_not}")
    with open_store(metadata_url(settings), **service_options(settings)) as metadata:
        package = _package(flow, stores)
        parameters = save_values(stores, values, "parameter")
        constants = save_values(stores, flow.constants, "constant")
        system = system_tags(user, "dev")
        run, claimed = claim_numbered_run(
            metadata,
            stores,
            lambda run_id: new_claim(flow, stores, run_id, user, parameters, constants, package, options.tags, system),
            flow.name,
            user,
            options.tags,
            system,
        )
        if options.run_id_file:
            options.run_id_file.write_text(claimed.run_id, encoding="utf-8")
        recorder = Recorder(metadata, run, console.warn)
        schedule = Schedule(flow, claimed, stores, recorder, console, options.limits)
        console.event(f"Workflow starting (run-id {claimed.run_id}):")
        started = time.monotonic()
        succeeded = False
        try:
            with _launchers(flow, schedule, claimed, stores, settings, server) as launchers:
                schedule.run(launchers)
            succeeded = True
        except RunFailed:
            console.failed("Workflow failed.")
            raise
        finally:
            end_run(stores, claimed, succeeded, schedule.failed_step)
            recorder.close()
            schedule.loop.close()
        console.succeeded(f"Done! ({time.monotonic() - started:.1f} s)")
        return claimed


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
    local: Launcher
    if server:
        local = ForkLauncher(schedule.loop, schedule, *server)
    else:
        local = FreshLauncher(schedule.loop, schedule, worker_command(str(flow.file), [stores.root]))
    launchers: dict[type, Launcher] = {type(None): local}
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
