"""The records of executions in the datastore: their form, their names, how they are read and written.

    flows/<flow>/runs/<run>/run.json                    the claim: who runs it, parameters, constants, code package
    flows/<flow>/runs/<run>/ended.json                  how the run ended; absent while it is active
    flows/<flow>/runs/<run>/<step>/<task>/done.json     the task record: a task is done if and only if it exists,
    flows/<flow>/runs/<run>/<step>/clones.pack          or if it is named in here: a resumed run took it over (see `packs`)
    flows/<flow>/runs/<run>/<step>/index.pack           copies of the records of a wide step
    flows/<flow>/runs/<run>/<step>/<task>/<token>.artifacts.json    what a record had no room for
    flows/<flow>/runs/<run>/<step>/<task>/<n>.failed.json
    flows/<flow>/runs/<run>/<step>/<task>/<n>.<token>.node.json    what a task of a gang handed in, until all have
    flows/<flow>/runs/<run>/<step>/<task>/<n>.log

Records are JSON objects with a format number; a reader refuses a later one by naming the version it needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
from cas_store import Backend, MissingObject, Reference

from stepwell.api.transitions import Transition
from stepwell.errors import RecordError
from stepwell.execution.packs import CLONES, read_pack
from stepwell.execution.spec import TaskSpec

FORMAT = 1
MOST_BYTES = 64 << 10
"""How long a task's record may be, so that a state machine can read it."""


@attrs.frozen
class RunRecord:
    """The claim of a run. Times are seconds since the epoch.

    `end_step` is the one whose task ends the run, `origin_run_id` the run that this one resumes, `origin_datastore` the root of
    the datastore which has that, if it is another one, `again` the step that was to run again even where that run had done it. Of
    a run in production `execution_arn` is the execution that it is, `trigger` what started it by itself (see `api.trigger`).
    """

    flow: str
    run_id: str
    token: str
    user: str
    created: float
    file: str
    end_step: str
    parameters: Mapping[str, Reference]
    constants: Mapping[str, Reference]
    package: str | None = None
    package_url: str | None = None
    tags: tuple[str, ...] = ()
    system_tags: tuple[str, ...] = ()
    origin_run_id: str | None = None
    again: str | None = None
    execution_arn: str | None = None
    trigger: Mapping[str, Any] | None = None
    origin_datastore: str | None = None

    @property
    def namespace(self) -> str:
        """The namespace that the run belongs to: the production token's, or the user's."""
        return next((tag for tag in self.system_tags if tag.startswith("production:")), f"user:{self.user}")


@attrs.frozen
class TaskRecord:
    """What a task left: its artifacts, its decision, and which attempt won. Times are seconds since the epoch.

    `origin` is the pathspec of the task that it was taken over from, where a resumed run did not run it itself; of another
    datastore, `origin_datastore` is the root. `depth`
    counts the foreaches that it is in: without it, `t0` could be the one task of a step or the first item's.
    `ran_with` are the versions of a task that was a job.
    """

    flow: str
    run_id: str
    step: str
    task_id: str
    attempt: int
    token: str
    started: float
    ended: float
    transition: Transition
    artifacts: Mapping[str, Reference]
    inputs: tuple[tuple[str, str], ...] = ()
    package: str | None = None
    origin: str | None = None
    depth: int = 0
    origin_datastore: str | None = None
    ran_with: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Decision:
    """Of a task's record where the run goes on, and the token that tells it from any other record."""

    token: str
    transition: Transition


@attrs.frozen
class FailureRecord:
    """Why one attempt failed. `type` is the exception's qualified name, `traceback` what the user is shown."""

    type: str
    message: str
    traceback: str
    file: str = ""
    line: int = 0
    ran_with: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def exception(self) -> str:
        """What happened, in words; the name that Metaflow's users know for `message`."""
        return self.message

    @property
    def stacktrace(self) -> str:
        """The same as `traceback`."""
        return self.traceback


@attrs.frozen
class EndRecord:
    """How a run ended. `successful` is true if and only if its end step is done.

    `failed_task` is the task of `failed_step` that failed for good, `reason` why, where that is known.
    `removed` says when its tasks' records were deleted, on purpose. Times are seconds since the epoch.
    """

    successful: bool
    ended: float
    failed_step: str | None = None
    removed: float | None = None
    failed_task: str | None = None
    reason: str | None = None


def run_directory(flow: str, run_id: str) -> str:
    """The name under which everything of one run lies."""
    return f"flows/{flow}/runs/{run_id}"


def task_directory(flow: str, run_id: str, step: str, task_id: str) -> str:
    """The name under which everything of one task lies."""
    return f"{run_directory(flow, run_id)}/{step}/{task_id}"


def untold_name(flow: str, run_id: str) -> str:
    """The name of the mark on a run of which the metadata service still has to be told."""
    return f"{run_directory(flow, run_id)}/untold.json"


def done_name(flow: str, run_id: str, step: str, task_id: str) -> str:
    """The name of a task's record."""
    return f"{task_directory(flow, run_id, step, task_id)}/done.json"


def encode(record: RunRecord | TaskRecord | FailureRecord | EndRecord) -> bytes:
    """A record as the bytes to store."""
    data = {"format": FORMAT, **attrs.asdict(record, recurse=False)}
    for name in ("parameters", "constants", "artifacts"):
        if name in data:
            data[name] = {key: reference.to_json() for key, reference in data[name].items()}
    if data.get("origin_datastore") is None:  # as in nearly all
        data.pop("origin_datastore", None)
    if not data.get("ran_with"):  # as where no job runs
        data.pop("ran_with", None)
    if "transition" in data:
        transition = attrs.asdict(data["transition"])
        data["transition"] = {key: value for key, value in transition.items() if value not in (None, ())}
    return json.dumps(data, separators=(",", ":")).encode()


def decode_run(data: bytes, name: str) -> RunRecord:
    """Read a run's claim; raises `RecordError` naming `name` where it is damaged or too new."""
    fields = _parse(data, name)
    with _Naming(name):
        for key in ("parameters", "constants"):
            fields[key] = {k: Reference.from_json(v) for k, v in fields[key].items()}
        for key in ("tags", "system_tags"):
            fields[key] = tuple(fields[key])
        return RunRecord(**fields)


def decode_task(data: bytes, name: str, records: Backend | None = None) -> TaskRecord:
    """Read a task's record; raises `RecordError` naming `name` where it is damaged or too new.

    `records` is where what it had no room for is looked up; a record in a pack, or one that a fork tells, is whole.
    """
    fields = _parse(data, name)
    with _Naming(name):
        beside = fields.pop("artifacts_in", None)
        if beside is not None and records is not None:
            fields["artifacts"] = _read_beside(records, beside, name)
        fields["artifacts"] = {key: Reference.from_json(value) for key, value in fields["artifacts"].items()}
        fields["inputs"] = tuple((step, task) for step, task in fields["inputs"])
        fields["transition"] = _transition(fields["transition"])
        return TaskRecord(**fields)


def decode_decision(data: bytes, name: str) -> Decision:
    """Read of a task's record what it decided, and nothing of its artifacts."""
    fields = _parse(data, name)
    with _Naming(name):
        return Decision(fields["token"], _transition(fields["transition"]))


def _transition(fields: dict[str, Any]) -> Transition:
    return Transition(**{**fields, "targets": tuple(fields.get("targets", ()))})


def _read_beside(records: Backend, beside: str, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(records.read(beside)))
    except MissingObject as error:
        raise RecordError(f"The record {name} is damaged: {beside}, which it names, is not there") from error


def decode_failure(data: bytes, name: str) -> FailureRecord:
    """Read why an attempt failed."""
    fields = _parse(data, name)
    with _Naming(name):
        return FailureRecord(**fields)


def decode_end(data: bytes, name: str) -> EndRecord:
    """Read how a run ended."""
    fields = _parse(data, name)
    with _Naming(name):
        return EndRecord(**fields)


def read_run(records: Backend, flow: str, run_id: str) -> RunRecord:
    """The claim of a run; raises `MissingObject` where nobody claimed it."""
    name = f"{run_directory(flow, run_id)}/run.json"
    return decode_run(records.read(name), name)


def publish_task(records: Backend, record: TaskRecord) -> bytes:
    """Store the record of a task, once: the task is done then, for whoever looks.

    Gives the whole record as stored; nothing where the task was done already, by another attempt or a write that is retried.
    """
    whole = encode(record)
    if len(whole) <= MOST_BYTES:
        stored, beside = whole, None
    else:
        directory = task_directory(record.flow, record.run_id, record.step, record.task_id)
        beside = f"{directory}/{record.token}.artifacts.json"
        fields = json.loads(whole)
        records.replace(beside, json.dumps(fields["artifacts"], separators=(",", ":")).encode())
        stored = json.dumps({**fields, "artifacts": {}, "artifacts_in": beside}, separators=(",", ":")).encode()
    if records.create(done_name(record.flow, record.run_id, record.step, record.task_id), stored):
        return whole
    if beside and not _names(records, record, beside):
        records.delete(beside)
    return b""


def node_name(spec: TaskSpec, token: str) -> str:
    """The name of what an attempt at a task of a gang hands in."""
    return f"{task_directory(spec.flow, spec.run_id, spec.step, spec.task_id)}/{spec.attempt}.{token}.node.json"


def find_handed_in(records: Backend, spec: TaskSpec, token: str) -> TaskRecord | None:
    """The whole record that an attempt at a task of a gang handed in; None where it did not."""
    name = node_name(spec, token)
    try:
        return decode_task(records.read(name), name)
    except MissingObject:
        return None


def _names(records: Backend, record: TaskRecord, beside: str) -> bool:
    """Whether the record that is there is the one whose rest is kept under this name."""
    stored = records.read(done_name(record.flow, record.run_id, record.step, record.task_id))
    return bool(_parse(stored, beside).get("artifacts_in") == beside)


def read_task(records: Backend, flow: str, run_id: str, step: str, task_id: str) -> TaskRecord:
    """The record of a task; raises `MissingObject` where it is not done."""
    found = find_task(records, flow, run_id, step, task_id)
    if found is None:
        raise MissingObject(done_name(flow, run_id, step, task_id))
    return found


def find_task(records: Backend, flow: str, run_id: str, step: str, task_id: str) -> TaskRecord | None:
    """The record of a task, or None where it is not done."""
    own = find_own_task(records, flow, run_id, step, task_id)
    if own is not None:
        return own
    name = f"{run_directory(flow, run_id)}/{step}/{CLONES}"
    taken_over = read_pack(records, name).get(task_id)
    return decode_clone(taken_over, name, run_id) if taken_over else None


def find_own_task(records: Backend, flow: str, run_id: str, step: str, task_id: str) -> TaskRecord | None:
    """The record of a task that this run ran itself, or None: enough to ask for where it cannot have been taken over."""
    name = done_name(flow, run_id, step, task_id)
    try:
        return decode_task(records.read(name), name, records)
    except MissingObject:
        return None


def decode_clone(data: bytes, name: str, run_id: str) -> TaskRecord:
    """The record that a task has in the run that took it over, from the one in the run that ran it."""
    ran = decode_task(data, name)
    return attrs.evolve(ran, run_id=run_id, origin=ran.origin or f"{ran.flow}/{ran.run_id}/{ran.step}/{ran.task_id}")


def find_failure(
    records: Backend, flow: str, run_id: str, step: str, task_id: str, attempt: int
) -> FailureRecord | None:
    """Why an attempt failed, or None where it left no word."""
    name = f"{task_directory(flow, run_id, step, task_id)}/{attempt}.failed.json"
    try:
        return decode_failure(records.read(name), name)
    except MissingObject:
        return None


def find_end(records: Backend, flow: str, run_id: str) -> EndRecord | None:
    """How a run ended, or None where it has not, or was killed before it could say."""
    name = f"{run_directory(flow, run_id)}/ended.json"
    try:
        return decode_end(records.read(name), name)
    except MissingObject:
        return None


def _parse(data: bytes, name: str) -> dict[str, Any]:
    try:
        fields = json.loads(data)
        version = fields.pop("format")
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise RecordError(f"The record {name} is damaged: {error}") from error
    if version != FORMAT:
        raise RecordError(
            f"The record {name} has format {version}; this stepwell reads format {FORMAT}.\n"
            "Upgrade stepwell to read it: pip install --upgrade stepwell"
        )
    return dict(fields)


class _Naming:
    """Turns what a wrongly shaped record makes a constructor raise into an error that names the record."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError, AttributeError)):
            raise RecordError(f"The record {self.name} is damaged: {error}") from error
