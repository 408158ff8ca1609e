"""The wire's records, as SQL that writes their JSON: what a client gets is put together by the database.

Rows are not taken apart here and built up again; that would cost more than the rest of a request. Aliases are those of the
sources in `sql`: f flows, r runs, s steps, t tasks, m metadata, a artifacts. Steps, tasks and artifacts carry their run's tags.
"""

from __future__ import annotations

Json = str
"""The text of a JSON value, as it is sent."""

VERIFIED_USER = "(CASE WHEN r.system_tags ? ('user:' || r.user_name) THEN r.user_name END)"


def _record(**fields: str) -> str:
    """An expression for the JSON object with these keys, in this order."""
    columns = ", ".join(f"{expression} AS {key}" for key, expression in fields.items())
    return f"(SELECT row_to_json(j)::text FROM (SELECT {columns}) j)"


def _own(alias: str, *names: str) -> dict[str, str]:
    return {name: f"{alias}.{name}" for name in names}


def _common(alias: str, tags_of: str) -> dict[str, str]:
    return {**_own(alias, "user_name", "ts_epoch"), **_own(tags_of, "tags", "system_tags")}


# An id is the name that a client gave, else the service's number; a step's run is a string either way.
_RUN_ID = "coalesce(to_json(r.run_id), to_json(r.run_number))"
_RUN_TEXT = "coalesce(r.run_id, r.run_number::text)"
_TASK_ID = "coalesce(to_json(t.task_name), to_json(t.task_id))"
_OF_RUN = {"flow_id": "r.flow_id", "run_number": _RUN_ID}
_OF_TASK = {**_OF_RUN, "step_name": "t.step_name", "task_id": _TASK_ID}

FLOW = _record(flow_id="f.flow_id", **_common("f", "f"))
STEP = _record(
    flow_id="r.flow_id",
    run_number=_RUN_TEXT,
    step_name="s.step_name",
    **_common("s", "r"),
)
TASK = _record(**_OF_TASK, **_common("t", "r"), last_heartbeat_ts="t.last_heartbeat_ts")
METADATUM = _record(id="m.id", **_OF_TASK, **_own("m", "field_name", "value", "type"), **_common("m", "m"))
ARTIFACT = _record(
    **_OF_TASK,
    **_own("a", "name", "location", "ds_type", "sha", "type", "content_type", "attempt_id"),
    **_common("a", "r"),
)
PATHSPEC = f"concat_ws('/', r.flow_id, {_RUN_TEXT}, t.step_name, coalesce(t.task_name, t.task_id::text))"


def run(**more: str) -> str:
    """A run, with more fields; ``user`` is there only if the system tags vouch for it."""
    fields = {**_OF_RUN, **_common("r", "r"), "last_heartbeat_ts": "r.last_heartbeat_ts"}
    verified = _record(**fields, user="r.user_name", **more)
    return f"(CASE WHEN {VERIFIED_USER} IS NULL THEN {_record(**fields, **more)} ELSE {verified} END)"


RUN = run()
