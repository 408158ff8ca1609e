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
from cas_store import CasStoreError, Reference

from stepwell.api.decorators.batch import Batch
from stepwell.api.decorators.kinds import Environment
from stepwell.api.definition import FlowDefinition, refuse_gangs
from stepwell.config import Settings, metadata_url, service_options, user_name
from stepwell.errors import RunFailed, SettingsError
from stepwell.execution.claims import (
    claim_named_run,
    claim_numbered_run,
    end_run,
    new_claim,
    save_parameters,
    save_values,
    system_tags,
)
from stepwell.execution.records import RunRecord, find_end, publish_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores, open_stores
from stepwell.execution.task import attempt, hand_over
from stepwell.scheduling import forkserver
from stepwell.scheduling.console import Console
from stepwell.scheduling.exit_hooks import exit_hooks
from stepwell.scheduling.launchers import ForkLauncher, FreshLauncher, Launcher, Listener, worker_command
from stepwell.scheduling.native_threads import unmendable_threads
from stepwell.scheduling.progress import in_words
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.resuming import Origin, datastore_elsewhere, find_origin
from stepwell.scheduling.schedule import Limits, Schedule
from stepwell.scheduling.signals import held_signals
from stepwell.suggesting import python_command
from stepwell.whole_files import write_whole

if TYPE_CHECKING:
    from meta_client import MetadataStore, Run


@attrs.frozen
class RunOptions:
    """What the command line says about a run. `fresh` gives every task an interpreter of its own."""

    limits: Limits = attrs.field(factory=Limits)
    tags: tuple[str, ...] = ()
    fresh: bool = False
    quiet: bool = False
    trigger: Mapping[str, Any] | None = None
    run_id_file: Path | None = None
    runner_attribute_file: Path | None = None

    def announce(self, claimed: RunRecord) -> None:
        """Say in the files that the caller asked for which run it is."""
        if self.run_id_file:
            write_whole(self.run_id_file, claimed.run_id)
        if self.runner_attribute_file:
            facts = {"flow_name": claimed.flow, "run_id": claimed.run_id}
            write_whole(self.runner_attribute_file, json.dumps(facts) + "\n")


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
        return Beginning(save_parameters(stores, values, flow), save_values(stores, flow.constants, "constant"))

    return _see_through(flow, begin, settings, options)


@attrs.frozen
class ResumeRequest:
    """Which run to resume (None: the user's latest), which step to run again, and what the new run is called.

    `stop_jobs` ends jobs of that run which are still at work, else they are waited for. `origin_datastore` is where that run
    is, if that is not the datastore in force.
    """

    origin_run_id: str | None = None
    step: str | None = None
    run_id: str | None = None
    stop_jobs: bool = False
    origin_datastore: str | None = None


def resume_flow(flow: FlowDefinition, request: ResumeRequest, settings: Settings, options: RunOptions) -> RunRecord:
    """Run a flow with what an earlier run has finished, and with its parameters; raises `RunFailed`, `NotFound`."""
    elsewhere = datastore_elsewhere(request.origin_datastore, settings)

    def begin(stores: Stores, metadata: MetadataStore, user: str) -> Beginning:
        origin = find_origin(flow, metadata, stores, user, request.origin_run_id, request.step, elsewhere)
        origin.entered_again = request.run_id is not None
        if not elsewhere and _uses_batch(flow) and find_end(stores.records, flow.name, origin.run.run_id) is None:
            from stepwell.deploying.finding import settle_jobs

            settle_jobs(flow, settings, origin.run.run_id, request.stop_jobs)
        origin.begin()
        constants = save_values(stores, flow.constants, "constant")
        parameters = {**origin.run.record.parameters, **save_values(stores, flow.configs, "config")}
        return Beginning(parameters, constants, origin, request.run_id)

    if elsewhere:
        elsewhere.warm_up()
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
        if not stores.is_local:
            stores.warm_up()  # what takes longest is the client of S3, which this process needs as well
        publish = publish_task if stores.is_local else hand_over
        server = forkserver.start(
            lambda text: attempt(TaskSpec.from_json(text), stores, flow, publish).told, stores.warm_up
        )
    console = Console(options.quiet)
    if why_not:
        console.warn(f"Every task gets a fresh interpreter, which is slower: {why_not}")
    with (
        exit_hooks(flow, settings, console) as ended,
        open_store(metadata_url(settings), **service_options(settings)) as metadata,
        contextlib.ExitStack() as stack,
    ):
        beginning = begin(stores, metadata, user)
        stack.enter_context(held_signals())
        run, claimed = _claim(flow, stores, metadata, beginning, user, options, _package(flow, stores, settings))
        ended.claim = claimed
        options.announce(claimed)
        recorder = Recorder(metadata, run, console.warn)
        schedule = Schedule(flow, claimed, stores, recorder, console, options.limits, beginning.origin)
        console.event(f"Workflow starting (run-id {claimed.run_id}):")
        started = time.monotonic()
        succeeded = False
        try:
            elsewhere = _batch_launcher(flow, schedule, claimed, stores, settings, options.limits, console.event)
            with _launchers(flow, schedule, stores, elsewhere, server) as launchers:
                schedule.run(launchers)
            succeeded = ended.successful = True
        except RunFailed as error:
            console.event(f"{schedule.progress.summary()}, in {in_words(time.monotonic() - started)}.")
            console.failed("Workflow failed.")
            error.add_hint(
                f"To go on from there: {python_command(flow.file.name)} resume --origin-run-id {claimed.run_id}"
            )
            raise
        finally:
            _end(stores, claimed, succeeded, schedule.failed_step, console)
            recorder.close()
            schedule.close()
        console.event(f"{schedule.progress.summary()}. To look closer: stepwell show {claimed.flow}/{claimed.run_id}")
        console.succeeded(f"Done! ({time.monotonic() - started:.1f} s)")
        return claimed


def _end(stores: Stores, claimed: RunRecord, succeeded: bool, failed_step: str | None, console: Console) -> None:
    try:
        end_run(stores, claimed, succeeded, failed_step)
    except CasStoreError as error:
        console.warn(f"How the run {claimed.run_id} ended cannot be kept, it will be listed as lost: {error}")


def _claim(
    flow: FlowDefinition,
    stores: Stores,
    metadata: MetadataStore,
    beginning: Beginning,
    user: str,
    options: RunOptions,
    package: tuple[str, str] | None,
) -> tuple[Run, RunRecord]:
    system = system_tags(flow, user, "dev")
    origin = beginning.origin

    def make(run_id: str) -> RunRecord:
        return new_claim(
            flow,
            stores,
            run_id,
            user,
            beginning.parameters,
            beginning.constants,
            package,
            options.tags,
            system,
            trigger=options.trigger,
            origin_run_id=origin.run.run_id if origin else None,
            again=origin.again if origin else None,
            origin_datastore=origin.datastore if origin else None,
        )

    if beginning.run_id is not None:
        return claim_named_run(metadata, stores, make, flow.name, user, beginning.run_id)
    return claim_numbered_run(metadata, stores, make, flow.name, user, options.tags, system)


def _why_not_fork(options: RunOptions) -> str | None:
    """Why tasks cannot be forks of this process; None where they can."""
    if options.fresh:
        return "--fresh asks for it"
    if sys.platform != "linux":
        return f"forking is not safe on {sys.platform}"
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        return f"importing the flow started threads ({', '.join(others[:3])}), which do not survive a fork"
    if owners := unmendable_threads():
        return f"importing {', '.join(owners)} started native threads, which do not survive a fork"
    return None


@contextlib.contextmanager
def _launchers(
    flow: FlowDefinition,
    schedule: Schedule,
    stores: Stores,
    elsewhere: Mapping[type, Launcher],
    server: tuple[Any, int] | None,
) -> Iterator[Mapping[type, Launcher]]:
    fresh = FreshLauncher(schedule.loop, schedule, worker_command(str(flow.file), [stores.root]), flow.variables)
    local = ForkLauncher(schedule.loop, schedule, *server, hand_over=not stores.is_local) if server else fresh
    launchers: dict[type, Launcher] = {type(None): local, Environment: fresh, **elsewhere}
    try:
        yield launchers
    finally:
        for launcher in launchers.values():
            launcher.close()


def _batch_launcher(
    flow: FlowDefinition,
    schedule: Schedule,
    claimed: RunRecord,
    stores: Stores,
    settings: Settings,
    limits: Limits,
    say: Callable[[str], None],
) -> Mapping[type, Launcher]:
    """What launches the steps on AWS Batch; nothing where there are none."""
    if not _uses_batch(flow):
        return {}
    from stepwell.deploying.keeping import JobKeeper
    from stepwell.deploying.launching import BatchLauncher

    def keep(listener: Listener, tell: Callable[[str], None]) -> JobKeeper:
        return JobKeeper(listener, flow, claimed, stores, settings, limits.max_workers, tell)

    return {Batch: BatchLauncher(schedule.loop, schedule, say, keep)}


def _uses_batch(flow: FlowDefinition) -> bool:
    return any(flow.decorator(node.name, Batch) for node in flow.graph)


def _check_batch(flow: FlowDefinition, stores: Stores, settings: Settings) -> None:
    if not _uses_batch(flow):
        return
    refuse_gangs(flow, Batch)
    if stores.is_local:
        raise SettingsError("Steps on AWS Batch need a datastore that the jobs can reach: add --datastore s3")
    settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch")


def _package(flow: FlowDefinition, stores: Stores, settings: Settings) -> tuple[str, str] | None:
    """The code package that jobs elsewhere unpack; a run on this machine needs none."""
    if not _uses_batch(flow):
        return None
    from stepwell.deploying.package import upload_package

    return upload_package(flow.file, stores, settings)
