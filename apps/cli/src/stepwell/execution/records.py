"""The records of executions in the datastore: their form, their names, how they are read and written.

    flows/<flow>/runs/<run>/run.json                    the claim: who runs it, parameters, constants, code package
    flows/<flow>/runs/<run>/ended.json                  how the run ended; absent while it is active
    flows/<flow>/runs/<run>/<step>/<task>/done.json     the task record: a task is done if and only if it exists
    flows/<flow>/runs/<run>/<step>/<task>/<n>.failed.json
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

FORMAT = 1


@attrs.frozen
class RunRecord:
    """The claim of a run. Times are seconds since the epoch.

    `end_step` is the one whose task ends the run, `origin_run_id` the run that this one resumes.
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


@attrs.frozen
class TaskRecord:
    """What a task left: its artifacts, its decision, and which attempt won. Times are seconds since the epoch.

    `origin` is the pathspec of the task that it was taken over from, where a resumed run did not run it itself. `depth`
    counts the foreaches that it is in: without it, `t0` could be the one task of a step or the first item's.
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


@attrs.frozen
class FailureRecord:
    """Why one attempt failed. `type` is the exception's qualified name, `traceback` what the user is shown."""

    type: str
    message: str
    traceback: str
    file: str = ""
    line: int = 0

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

    `removed` says when its tasks' records were deleted, on purpose. Times are seconds since the epoch.
    """

    successful: bool
    ended: float
    failed_step: str | None = None
    removed: float | None = None


def run_directory(flow: str, run_id: str) -> str:
    """The name under which everything of one run lies."""
    return f"flows/{flow}/runs/{run_id}"


def task_directory(flow: str, run_id: str, step: str, task_id: str) -> str:
    """The name under which everything of one task lies."""
    return f"{run_directory(flow, run_id)}/{step}/{task_id}"


def done_name(flow: str, run_id: str, step: str, task_id: str) -> str:
    """The name of a task's record."""
    return f"{task_directory(flow, run_id, step, task_id)}/done.json"


def encode(record: RunRecord | TaskRecord | FailureRecord | EndRecord) -> bytes:
    """A record as the bytes to store."""
    data = {"format": FORMAT, **attrs.asdict(record, recurse=False)}
    for name in ("parameters", "constants", "artifacts"):
        if name in data:
            data[name] = {key: reference.to_json() for key, reference in data[name].items()}
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


def decode_task(data: bytes, name: str) -> TaskRecord:
    """Read a task's record; raises `RecordError` naming `name` where it is damaged or too new."""
    fields = _parse(data, name)
    with _Naming(name):
        fields["artifacts"] = {key: Reference.from_json(value) for key, value in fields["artifacts"].items()}
        fields["inputs"] = tuple((step, task) for step, task in fields["inputs"])
        transition = fields["transition"]
        fields["transition"] = Transition(**{**transition, "targets": tuple(transition.get("targets", ()))})
        return TaskRecord(**fields)


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


def read_task(records: Backend, flow: str, run_id: str, step: str, task_id: str) -> TaskRecord:
    """The record of a task; raises `MissingObject` where it is not done."""
    name = done_name(flow, run_id, step, task_id)
    return decode_task(records.read(name), name)


def find_task(records: Backend, flow: str, run_id: str, step: str, task_id: str) -> TaskRecord | None:
    """The record of a task, or None where it is not done."""
    try:
        return read_task(records, flow, run_id, step, task_id)
    except MissingObject:
        return None


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
