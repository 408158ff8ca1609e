"""The statements' text. Every request costs one statement, whatever it touches.

Parameters are named; pieces that vary (id column, conditions, page) are put together here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from metadata_service.filters import Condition
from metadata_service.ids import RunPath, StepPath, TaskPath, is_number, number
from metadata_service.paging import Order, Page

NOW_MS = "(extract(epoch FROM now()) * 1000)::bigint"
NOW_S = "floor(extract(epoch FROM now()))::bigint"
ALL_TAGS = "(coalesce(r.tags, '[]'::jsonb) || coalesce(r.system_tags, '[]'::jsonb))"
_VERIFIED_USER = "(CASE WHEN r.system_tags ? ('user:' || r.user_name) THEN r.user_name END)"

FLOW = "f.flow_id, f.user_name, f.ts_epoch, f.tags, f.system_tags"
RUN = "r.flow_id, r.run_number, r.run_id, r.user_name, r.ts_epoch, r.tags, r.system_tags, r.last_heartbeat_ts"
_OF_RUN = "r.flow_id, r.run_number, r.run_id, r.tags, r.system_tags"
STEP = f"{_OF_RUN}, s.step_name, s.user_name, s.ts_epoch"
TASK = f"{_OF_RUN}, t.step_name, t.task_id, t.task_name, t.user_name, t.ts_epoch, t.last_heartbeat_ts"
_OF_TASK = "r.flow_id, r.run_number, r.run_id, t.step_name, t.task_id, t.task_name"
METADATUM = f"{_OF_TASK}, m.id, m.field_name, m.value, m.type, m.user_name, m.ts_epoch, m.tags, m.system_tags"
ARTIFACT = (
    f"{_OF_TASK}, r.tags, r.system_tags, a.name, a.location, a.ds_type, a.sha, a.type, a.content_type, "
    "a.attempt_id, a.user_name, a.ts_epoch"
)

FROM_STEPS = "runs r JOIN steps s USING (run_number)"
FROM_TASKS = "runs r JOIN tasks t USING (run_number)"
FROM_METADATA = f"{FROM_TASKS} JOIN metadata m USING (task_id)"
FROM_ARTIFACTS = f"{FROM_TASKS} JOIN artifacts a USING (task_id)"
LATEST_ATTEMPT = "a.attempt_id = (SELECT max(b.attempt_id) FROM artifacts b WHERE b.task_id = t.task_id)"

ARTIFACT_ORDER = "ORDER BY a.attempt_id DESC, a.task_id DESC, a.name"

# The newest `attempt_ok` of the step `end` decides; a failed one is undone by an attempt that began after it; a run
# without any is running as long as somebody sends heartbeats.
_END_METADATA = (
    "FROM tasks e JOIN metadata m USING (task_id) WHERE e.run_number = r.run_number AND e.step_name = 'end' AND "
)
STATUS_JOIN = f"""
LEFT JOIN LATERAL (
    SELECT m.id, lower(m.value) IN ('true', '1') AS ok {_END_METADATA} m.field_name = 'attempt_ok'
    ORDER BY m.id DESC LIMIT 1
) ended ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN ended.ok THEN 'completed'
    WHEN ended.id IS NULL AND r.last_heartbeat_ts >= {NOW_S} - %(inactive_s)s THEN 'running'
    WHEN ended.id IS NULL THEN 'failed'
    WHEN EXISTS (SELECT 1 {_END_METADATA} m.field_name = 'attempt' AND m.id > ended.id) THEN 'running'
    ELSE 'failed' END AS status
) state
"""


@attrs.frozen
class Where:
    """Conditions that all hold, and their parameters."""

    text: str
    parameters: Mapping[str, Any]

    def and_(self, *others: Where) -> Where:
        """Both this and the others."""
        parameters = dict(self.parameters)
        for other in others:
            parameters.update(other.parameters)
        return Where(" AND ".join([self.text, *(other.text for other in others)]), parameters)


def always() -> Where:
    """No condition at all."""
    return Where("true", {})


def one_flow(flow: str) -> Where:
    """The runs of one flow."""
    return Where("r.flow_id = %(flow)s", {"flow": flow})


def one_run(path: RunPath | StepPath | TaskPath) -> Where:
    """One run: by its number, or by the name that the client gave it."""
    column, value = _id("r.run_number", "r.run_id", path.run)
    return Where(f"r.flow_id = %(flow)s AND {column} = %(run)s", {"flow": path.flow, "run": value})


def one_step(path: StepPath | TaskPath, alias: str) -> Where:
    """One step of a run, or (``alias`` t) the tasks of one."""
    return one_run(path).and_(Where(f"{alias}.step_name = %(step)s", {"step": path.step}))


def one_task(path: TaskPath) -> Where:
    """One task."""
    column, value = _id("t.task_id", "t.task_name", path.task)
    return one_step(path, "t").and_(Where(f"{column} = %(task)s", {"task": value}))


def _id(number_column: str, name_column: str, text: str) -> tuple[str, str | int]:
    return (number_column, number(text)) if is_number(text) else (name_column, text)


CREATE_FLOW = f"""
INSERT INTO flows AS f (flow_id, user_name, ts_epoch, tags, system_tags)
VALUES (%(flow)s, %(user_name)s, {NOW_MS}, %(tags)s, %(system_tags)s)
ON CONFLICT DO NOTHING RETURNING {FLOW}
"""

# Creations under a parent: no row, the parent is missing; a row whose first column is false, the object exists.
CREATE_RUN = f"""
WITH parent AS (SELECT flow_id FROM flows WHERE flow_id = %(flow)s),
r AS (
    INSERT INTO runs (flow_id, run_id, user_name, ts_epoch, tags, system_tags, last_heartbeat_ts)
    SELECT flow_id, %(given_id)s, %(user_name)s, {NOW_MS}, %(tags)s, %(system_tags)s,
        CASE WHEN %(beats)s THEN {NOW_S} END
    FROM parent ON CONFLICT DO NOTHING RETURNING *
)
SELECT r.run_number IS NOT NULL, {RUN} FROM parent LEFT JOIN r ON true
"""


def create_step(run: Where) -> str:
    """Insert a step and answer with its run's tags."""
    return f"""
    WITH r AS (SELECT * FROM runs r WHERE {run.text}),
    s AS (
        INSERT INTO steps (run_number, step_name, user_name, ts_epoch)
        SELECT run_number, %(step)s, %(user_name)s, {NOW_MS} FROM r ON CONFLICT DO NOTHING RETURNING *
    )
    SELECT s.step_name IS NOT NULL, {STEP} FROM r LEFT JOIN s ON true
    """


def create_task(step: Where) -> str:
    """Insert a task; the client's being alive counts for its run too, written at most every other second."""
    return f"""
    WITH r AS (SELECT r.* FROM {FROM_STEPS} WHERE {step.text}),
    t AS (
        INSERT INTO tasks (run_number, step_name, task_name, user_name, ts_epoch, last_heartbeat_ts)
        SELECT run_number, %(step)s, %(given_id)s, %(user_name)s, {NOW_MS}, CASE WHEN %(beats)s THEN {NOW_S} END
        FROM r ON CONFLICT DO NOTHING RETURNING *
    ),
    beat AS (
        UPDATE runs SET last_heartbeat_ts = {NOW_S}
        WHERE run_number IN (SELECT run_number FROM t) AND %(beats)s
          AND coalesce(last_heartbeat_ts, 0) < {NOW_S} - 1
    )
    SELECT t.task_id IS NOT NULL, {TASK} FROM r LEFT JOIN t ON true
    """


def beat_run(run: Where) -> str:
    """Note that a run is alive; a row if it exists."""
    return f"""
    WITH r AS (SELECT r.run_number FROM runs r WHERE {run.text}),
    beat AS (
        UPDATE runs SET last_heartbeat_ts = {NOW_S}
        WHERE run_number IN (SELECT run_number FROM r) AND coalesce(last_heartbeat_ts, 0) < {NOW_S}
    )
    SELECT run_number FROM r
    """


def beat_task(task: Where) -> str:
    """Note that a task, and with it its run, is alive; a row if it exists."""
    return f"""
    WITH t AS (SELECT t.task_id, t.run_number FROM {FROM_TASKS} WHERE {task.text}),
    run_beat AS (
        UPDATE runs SET last_heartbeat_ts = {NOW_S}
        WHERE run_number IN (SELECT run_number FROM t) AND coalesce(last_heartbeat_ts, 0) < {NOW_S}
    ),
    task_beat AS (
        UPDATE tasks SET last_heartbeat_ts = {NOW_S}
        WHERE task_id IN (SELECT task_id FROM t) AND coalesce(last_heartbeat_ts, 0) < {NOW_S}
    )
    SELECT task_id FROM t
    """


def insert_metadata(task: Where) -> str:
    """Insert rows given as JSON, in their order; answers how many, and no row at all if the task is missing."""
    return f"""
    WITH t AS (SELECT t.task_id, t.run_number FROM {FROM_TASKS} WHERE {task.text}),
    new AS (
        INSERT INTO metadata (task_id, run_number, field_name, value, type, user_name, ts_epoch, tags, system_tags)
        SELECT t.task_id, t.run_number, row.field_name, row.value, row.type, row.user_name, {NOW_MS}, row.tags,
            row.system_tags
        FROM t, ROWS FROM (json_to_recordset(%(rows)s) AS (
            field_name text, value text, type text, user_name text, tags jsonb, system_tags jsonb
        )) WITH ORDINALITY AS row (field_name, value, type, user_name, tags, system_tags, place)
        ORDER BY row.place RETURNING 1
    )
    SELECT (SELECT count(*) FROM new) FROM t
    """


def insert_artifacts(task: Where) -> str:
    """Insert rows given as JSON, but for those that exist; answers as `insert_metadata` does."""
    return f"""
    WITH t AS (SELECT t.task_id FROM {FROM_TASKS} WHERE {task.text}),
    new AS (
        INSERT INTO artifacts
            (task_id, attempt_id, name, location, ds_type, sha, type, content_type, user_name, ts_epoch)
        SELECT t.task_id, row.attempt_id, row.name, row.location, row.ds_type, row.sha, row.type, row.content_type,
            row.user_name, {NOW_MS}
        FROM t, json_to_recordset(%(rows)s) AS row (
            name text, location text, ds_type text, sha text, type text, content_type text, attempt_id integer,
            user_name text
        )
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT (SELECT count(*) FROM new) FROM t
    """


def filtered_tasks(step: Where, *, by_field: bool, by_value: bool) -> str:
    """Tasks of a step that have one metadata row of that field and value."""
    field = "AND m.field_name = %(field)s" if by_field else ""
    value = "AND m.value ~ %(pattern)s" if by_value else ""
    return f"""
    SELECT {_OF_TASK} FROM {FROM_TASKS} WHERE {step.text}
    AND EXISTS (SELECT 1 FROM metadata m WHERE m.task_id = t.task_id {field} {value})
    ORDER BY t.task_id
    """


def listing(
    columns: str, source: str, where: Where, order: Order, alias: str, page: Page | None
) -> tuple[str, dict[str, Any]]:
    """A listing, newest first, and its parameters; of a page one row more, to know whether more follow."""
    keys = [f"{alias}.{name}" for name, _ in order.keys]
    text, parameters = where.text, dict(where.parameters)
    if page and page.after is not None:
        named = {f"after{place}": key for place, key in enumerate(page.after)}
        text += f" AND ({', '.join(keys)}) < ({', '.join(f'%({name})s' for name in named)})"
        parameters |= named
    newest_first = ", ".join(f"{key} DESC" for key in keys)
    limit = f"LIMIT {page.limit + 1}" if page else ""
    return f"SELECT {columns} FROM {source} WHERE {text} ORDER BY {newest_first} {limit}", parameters


def newest_artifacts(where: Where) -> str:
    """A source for `page`: of every artifact of a task the newest, whatever its attempt."""
    return f"""
    (SELECT DISTINCT ON (t.task_id, a.name) a.* FROM {FROM_ARTIFACTS} WHERE {where.text}
     ORDER BY t.task_id, a.name, a.ts_epoch DESC, a.attempt_id DESC
    ) a JOIN tasks t USING (task_id) JOIN runs r USING (run_number)
    """


# How a condition on a column reads. Patterns are case-blind.
_COMPARE = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_PATTERN = {"co": "%{}%", "sw": "{}%", "ew": "%{}"}
_RUN_COLUMNS = {"user": _VERIFIED_USER, "status": "state.status"}


def filters(found: Iterable[Condition], alias: str) -> list[Where]:
    """The conditions of a query string on the columns of one table."""
    return [_filter(condition, alias, f"filter{place}_") for place, condition in enumerate(found)]


def _filter(condition: Condition, alias: str, prefix: str) -> Where:
    if condition.field == "_tags":
        return _tag_filter(condition, prefix)
    column = _RUN_COLUMNS.get(condition.field, f"{alias}.{condition.field}")
    parts, parameters = [], {}
    for place, value in enumerate(condition.values):
        parameter = f"{prefix}{place}"
        parts.append(_test(column, condition.operator, None if value is None else f"%({parameter})s"))
        if value is not None:
            parameters[parameter] = _pattern(condition.operator, value)
    return Where("(" + (" AND " if condition.operator == "ne" else " OR ").join(parts) + ")", parameters)


def _test(column: str, operator: str, parameter: str | None) -> str:
    if parameter is None:
        return f"{column} IS {'NOT ' if operator == 'ne' else ''}NULL"
    if operator == "ne":
        return f"{column} IS DISTINCT FROM {parameter}"
    return f"{column} {_COMPARE[operator]} {parameter}" if operator in _COMPARE else f"{column} ILIKE {parameter}"


def _pattern(operator: str, value: str | int) -> str | int:
    return _PATTERN[operator].format(_escaped(str(value))) if operator in _PATTERN else value


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _tag_filter(condition: Condition, prefix: str) -> Where:
    if condition.operator in ("all", "any"):
        sign = "?&" if condition.operator == "all" else "?|"
        return Where(f"{ALL_TAGS} {sign} %({prefix}tags)s::text[]", {f"{prefix}tags": list(condition.values)})
    parameters = {f"{prefix}{place}": f"%{_escaped(str(tag))}%" for place, tag in enumerate(condition.values)}
    joined = " AND " if condition.operator == "likeall" else " OR "
    return Where("(" + joined.join(f"{ALL_TAGS}::text ILIKE %({name})s" for name in parameters) + ")", parameters)
