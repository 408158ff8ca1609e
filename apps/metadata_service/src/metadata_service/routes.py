"""The HTTP API: what each route takes and answers. Nothing is decided here."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from metadata_service import answers, incoming, paging
from metadata_service.batches import read_batch
from metadata_service.errors import DatabaseUnavailable, InvalidRequest, MetadataServiceError, NotFound
from metadata_service.filters import RUN_FIELDS, TASK_FIELDS, conditions
from metadata_service.ids import LARGEST_ID, RunPath, StepPath, TaskPath
from metadata_service.incoming import check_name
from metadata_service.storage import Storage

blueprint = Blueprint("wire", __name__)

_FLOW = "/flows/<segment:flow>"
_RUN = f"{_FLOW}/runs/<segment:run>"
_STEP = f"{_RUN}/steps/<segment:step>"
_TASK = f"{_STEP}/tasks/<segment:task>"


def _storage() -> Storage:
    storage: Storage = current_app.extensions["metadata_service"]
    return storage


def _body() -> object:
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception as error:  # the server's own: chunks that are none, a client that went away
        raise InvalidRequest(f"the body cannot be read: {error}") from error
    return incoming.parse_json(body)


def _page(order: paging.Order, *, wanted: bool = False) -> paging.Page | None:
    return paging.page_of(request.args, order, wanted=wanted)


def _query_text(name: str) -> str | None:
    return incoming.check_text(name, request.args.get(name, "")) or None


def _attempt(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise InvalidRequest(f"an attempt is a whole number from 0, got {text[:50]!r}")
    return min(int(text), LARGEST_ID)


@blueprint.get("/ping")
def ping() -> Response:
    """The process answers; the version in the answer's header tells clients what the schema in force can serve."""
    with suppress(MetadataServiceError):  # a database that is away has said before what it can
        _storage().statements.schema_version()
    return answers.text("pong")


@blueprint.get("/version")
def version() -> Response:
    """The wire API's version, as far as the schema in force can serve it."""
    with suppress(MetadataServiceError):
        _storage().statements.schema_version()
    return answers.text(answers.wire_version(_storage().statements.known_version))


@blueprint.get("/healthcheck")
def healthcheck() -> Response:
    """Whether the database answers."""
    try:
        _storage().statements.ping()
    except DatabaseUnavailable:
        return answers.json_in_json({"status": "DOWN"}, status=503)
    return answers.json_in_json({"status": "UP"})


@blueprint.get("/flows")
def list_flows() -> Response:
    """All flows."""
    return answers.listing(_storage().list_flows(_page(paging.FLOWS)))


@blueprint.get(_FLOW)
def get_flow(flow: str) -> Response:
    """One flow."""
    return answers.record(_storage().get_flow(flow))


@blueprint.post(_FLOW)
def create_flow(flow: str) -> Response:
    """Register a flow."""
    new = incoming.new_object(_body())
    return answers.record(_storage().create_flow(check_name("the flow's name", flow), new))


@blueprint.get(f"{_FLOW}/runs")
def list_runs(flow: str) -> Response:
    """Runs of a flow: all, or the pages of those that meet the conditions."""
    found = conditions(request.args.items(multi=True), RUN_FIELDS)
    page = _page(paging.RUNS, wanted=bool(found))
    return answers.listing(_storage().list_runs(flow, found, page))


@blueprint.post(f"{_FLOW}/run")
def create_run(flow: str) -> Response:
    """Register a run; its number is given here."""
    new = incoming.new_object(_body(), id_field="run_number")
    return answers.record(_storage().create_run(check_name("the flow's name", flow), new))


@blueprint.get(_RUN)
def get_run(flow: str, run: str) -> Response:
    """One run."""
    return answers.record(_storage().get_run(RunPath(flow, run)))


@blueprint.delete(_RUN)
def delete_run(flow: str, run: str) -> Response:
    """Delete a run with all its rows: it is gone at once and its ids stay taken; after 202, send it again for the rest."""
    return answers.deleted(_storage().delete_run(RunPath(flow, run)))


@blueprint.post(f"{_RUN}/heartbeat")
def beat_run(flow: str, run: str) -> Response:
    """A run is alive."""
    interval = current_app.config["HEARTBEAT_INTERVAL_S"]
    try:
        _storage().beat_run(RunPath(flow, run))
    except NotFound:
        return answers.heartbeat(interval, status=404)
    return answers.heartbeat(interval)


@blueprint.patch(f"{_RUN}/tag/mutate")
def mutate_tags(flow: str, run: str) -> Response:
    """Add tags to a run and remove some."""
    mutation = incoming.tag_mutation(_body())
    return answers.tags(_storage().mutate_tags(RunPath(flow, run), mutation))


@blueprint.post(f"{_RUN}/bulk")
def register(flow: str, run: str) -> Response:
    """Register steps, tasks, artifacts and metadata of a run, all or nothing; what exists stays as it is."""
    return answers.created(_storage().register(RunPath(flow, run), read_batch(_body())))


@blueprint.get(f"{_RUN}/metadata")
def list_run_metadata(flow: str, run: str) -> Response:
    """Metadata of all tasks of a run."""
    return answers.listing(_storage().list_metadata(RunPath(flow, run), _page(paging.METADATA)))


@blueprint.get(f"{_RUN}/artifacts")
def list_run_artifacts(flow: str, run: str) -> Response:
    """Artifacts of all tasks of a run."""
    return answers.listing(_storage().list_artifacts(RunPath(flow, run), _page(paging.ARTIFACTS)))


@blueprint.get(f"{_RUN}/steps")
def list_steps(flow: str, run: str) -> Response:
    """Steps of a run."""
    return answers.listing(_storage().list_steps(RunPath(flow, run)))


@blueprint.get(_STEP)
def get_step(flow: str, run: str, step: str) -> Response:
    """One step."""
    return answers.record(_storage().get_step(StepPath(flow, run, step)))


@blueprint.post(f"{_STEP}/step")
def create_step(flow: str, run: str, step: str) -> Response:
    """Register a step."""
    new = incoming.new_object(_body())
    path = StepPath(flow, run, check_name("the step's name", step))
    return answers.record(_storage().create_step(path, new))


@blueprint.get(f"{_STEP}/tasks")
def list_tasks(flow: str, run: str, step: str) -> Response:
    """Tasks of a step: all, or the pages of those that meet the conditions."""
    found = conditions(request.args.items(multi=True), TASK_FIELDS)
    page = _page(paging.TASKS, wanted=bool(found))
    return answers.listing(_storage().list_tasks(StepPath(flow, run, step), found, page))


@blueprint.get(f"{_STEP}/filtered_tasks")
def filtered_tasks(flow: str, run: str, step: str) -> Response:
    """Pathspecs of the tasks with a metadata row of a field and a value."""
    field, pattern = _query_text("metadata_field_name"), _query_text("pattern")
    return answers.json_value(_storage().filtered_tasks(StepPath(flow, run, step), field, pattern))


@blueprint.get(f"{_STEP}/artifacts")
def list_step_artifacts(flow: str, run: str, step: str) -> Response:
    """Artifacts of all tasks of a step."""
    return answers.listing(_storage().list_artifacts(StepPath(flow, run, step), _page(paging.ARTIFACTS)))


@blueprint.post(f"{_STEP}/task")
def create_task(flow: str, run: str, step: str) -> Response:
    """Register a task; its id is the client's, or given here."""
    new = incoming.new_object(_body(), id_field="task_id")
    return answers.record(_storage().create_task(StepPath(flow, run, step), new))


@blueprint.get(_TASK)
def get_task(flow: str, run: str, step: str, task: str) -> Response:
    """One task."""
    return answers.record(_storage().get_task(TaskPath(flow, run, step, task)))


@blueprint.post(f"{_TASK}/heartbeat")
def beat_task(flow: str, run: str, step: str, task: str) -> Response:
    """A task, and so its run, is alive."""
    interval = current_app.config["HEARTBEAT_INTERVAL_S"]
    try:
        _storage().beat_task(TaskPath(flow, run, step, task))
    except NotFound:
        return answers.heartbeat(interval, status=404)
    return answers.heartbeat(interval)


@blueprint.get(f"{_TASK}/metadata")
def list_metadata(flow: str, run: str, step: str, task: str) -> Response:
    """Metadata of a task."""
    return answers.listing(_storage().list_metadata(TaskPath(flow, run, step, task), _page(paging.METADATA)))


@blueprint.post(f"{_TASK}/metadata")
def add_metadata(flow: str, run: str, step: str, task: str) -> Response:
    """Register metadata of a task, many rows at once."""
    new = incoming.new_metadata(_body())
    try:
        created = _storage().add_metadata(TaskPath(flow, run, step, task), new)
    except NotFound as error:
        raise InvalidRequest("need to register run_id and task_id first") from error
    return answers.json_value({"metadata_created": created})


@blueprint.get(f"{_TASK}/artifacts")
def list_artifacts(flow: str, run: str, step: str, task: str) -> Response:
    """Artifacts of a task's latest attempt."""
    return answers.listing(_storage().list_artifacts(TaskPath(flow, run, step, task), _page(paging.ARTIFACTS)))


@blueprint.post(f"{_TASK}/artifact")
def add_artifacts(flow: str, run: str, step: str, task: str) -> Response:
    """Register artifacts of a task, many rows at once."""
    new = incoming.new_artifacts(_body())
    try:
        created = _storage().add_artifacts(TaskPath(flow, run, step, task), new)
    except NotFound as error:
        raise InvalidRequest("need to register run_id and task_id first") from error
    return answers.json_value({"artifacts_created": created})


@blueprint.get(f"{_TASK}/attempt/<segment:attempt>/artifacts")
def list_attempt(flow: str, run: str, step: str, task: str, attempt: str) -> Response:
    """Artifacts of one attempt of a task."""
    return answers.listing(_storage().list_attempt(TaskPath(flow, run, step, task), _attempt(attempt)))


@blueprint.get(f"{_TASK}/artifacts/<segment:name>")
def get_artifact(flow: str, run: str, step: str, task: str, name: str) -> Response:
    """One artifact of a task's latest attempt."""
    return answers.record(_storage().get_artifact(TaskPath(flow, run, step, task), name, None))


@blueprint.get(f"{_TASK}/artifacts/<segment:name>/attempt/<segment:attempt>")
def get_artifact_of_attempt(flow: str, run: str, step: str, task: str, name: str, attempt: str) -> Response:
    """One artifact of one attempt of a task."""
    return answers.record(_storage().get_artifact(TaskPath(flow, run, step, task), name, _attempt(attempt)))
