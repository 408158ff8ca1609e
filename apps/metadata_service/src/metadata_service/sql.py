"""The statements' text. Every request costs one statement, whatever it touches.

Parameters are named; pieces that vary (id column, conditions, page) are put together here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from metadata_service.filters import Condition
from metadata_service.ids import RunPath, StepPath, TaskPath, is_number, number
from metadata_service.paging import Order, Page
from metadata_service.records import FLOW, PATHSPEC, RUN, STEP, TASK, VERIFIED_USER

NOW_MS = "(extract(epoch FROM now()) * 1000)::bigint"
NOW_S = "floor(extract(epoch FROM now()))::bigint"
ALL_TAGS = "(coalesce(r.tags, '[]'::jsonb) || coalesce(r.system_tags, '[]'::jsonb))"

FROM_STEPS = "runs r JOIN steps s USING (run_number)"
FROM_TASKS = "runs r JOIN tasks t USING (run_number)"
FROM_METADATA = f"{FROM_TASKS} JOIN metadata m USING (task_id)"
FROM_ARTIFACTS = f"{FROM_TASKS} JOIN artifacts a USING (task_id)"
LATEST_ATTEMPT = "a.attempt_id = (SELECT max(b.attempt_id) FROM artifacts b WHERE b.task_id = t.task_id)"

ARTIFACT_ORDER = "ORDER BY a.attempt_id DESC, a.task_id DESC, a.name"

_SILENT_SINCE = f"{NOW_S} - %(inactive_s)s"
_BEATS = f"r.last_heartbeat_ts >= {_SILENT_SINCE}"
# A run that has not ended is running as long as somebody sends heartbeats.
STATUS = f"""(CASE
    WHEN r.ended = 'retrying' THEN 'running'
    WHEN r.ended IS NOT NULL THEN r.ended
    WHEN {_BEATS} THEN 'running'
    ELSE 'failed' END)"""
# The same, one status at a time, as indexes can answer it.
_STATUS_IS = {
    "completed": "r.ended = 'completed'",
    "failed": f"(r.ended = 'failed' OR r.ended IS NULL AND ({_BEATS}) IS NOT TRUE)",
    "running": f"(r.ended = 'retrying' OR r.ended IS NULL AND r.beat_hour >= ({_SILENT_SINCE}) / 3600 AND {_BEATS})",
}
_LONGEST_INDEXED_TAG = 255

_NOT_DELETED = " AND NOT r.deleted"
_RUN_NAMES, _TASK_NAMES = ", run_id, last_heartbeat_ts", ", task_name, last_heartbeat_ts"
_NAMES = f", %(given_id)s, CASE WHEN %(beats)s THEN {NOW_S} END"
_BEAT_OF_TASK = f""",
    beat AS (
        UPDATE runs SET last_heartbeat_ts = {NOW_S}
        WHERE run_number IN (SELECT run_number FROM t) AND %(beats)s
          AND coalesce(last_heartbeat_ts, 0) < {NOW_S} - 1
    )"""
# What earlier schema versions do not have: since when it is there, how it reads, and what stands for it before.
_LATER = (
    (3, _NOT_DELETED, ""),
    *((2, piece, "") for piece in (_RUN_NAMES, _TASK_NAMES, _NAMES, _BEAT_OF_TASK)),
    *((2, column, "NULL::text") for column in ("r.run_id", "t.task_name")),
    *((2, column, "NULL::bigint") for column in ("r.last_heartbeat_ts", "t.last_heartbeat_ts")),
)


def as_of(text: str, version: int) -> str:
    """A statement as a database at that schema version understands it."""
    for since, piece, before in _LATER:
        if version < since:
            text = text.replace(piece, before)
    return text


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
    return Where(f"r.flow_id = %(flow)s{_NOT_DELETED}", {"flow": flow})


def one_run(path: RunPath | StepPath | TaskPath) -> Where:
    """One run: by its number, or by the name that the client gave it."""
    column, value = _id("r.run_number", "r.run_id", path.run)
    return Where(f"r.flow_id = %(flow)s AND {column} = %(run)s{_NOT_DELETED}", {"flow": path.flow, "run": value})


def one_run_ever(path: RunPath) -> Where:
    """One run, deleted or not."""
    where = one_run(path)
    return Where(where.text.removesuffix(_NOT_DELETED), where.parameters)


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
    INSERT INTO runs (flow_id, user_name, ts_epoch, tags, system_tags{_RUN_NAMES})
    SELECT flow_id, %(user_name)s, {NOW_MS}, %(tags)s, %(system_tags)s{_NAMES}
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
        INSERT INTO tasks (run_number, step_name, user_name, ts_epoch{_TASK_NAMES})
        SELECT run_number, %(step)s, %(user_name)s, {NOW_MS}{_NAMES}
        FROM r ON CONFLICT DO NOTHING RETURNING *
    ){_BEAT_OF_TASK}
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
    SELECT {PATHSPEC} FROM {FROM_TASKS} WHERE {step.text}
    AND EXISTS (SELECT 1 FROM metadata m WHERE m.task_id = t.task_id {field} {value})
    ORDER BY t.task_id
    """


def listing(
    record: str, source: str, where: Where, order: Order, alias: str, page: Page | None
) -> tuple[str, dict[str, Any]]:
    """A listing, newest first, and its parameters; of a page also the sort keys, and a row more, to know if there are more."""
    keys = [f"{alias}.{name}" for name, _ in order.keys]
    text, parameters = where.text, dict(where.parameters)
    if page and page.after is not None:
        named = {f"after{place}": key for place, key in enumerate(page.after)}
        text += f" AND ({', '.join(keys)}) < ({', '.join(f'%({name})s' for name in named)})"
        parameters |= named
    newest_first = ", ".join(f"{key} DESC" for key in keys)
    selected = ", ".join([record, *keys]) if page else record
    limit = f"LIMIT {page.limit + 1}" if page else ""
    return f"SELECT {selected} FROM {source} WHERE {text} ORDER BY {newest_first} {limit}", parameters


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
_RUN_COLUMNS = {"user": VERIFIED_USER, "status": STATUS}


def filters(found: Iterable[Condition], alias: str) -> list[Where]:
    """The conditions of a query string on the columns of one table."""
    return [_filter(condition, alias, f"filter{place}_") for place, condition in enumerate(found)]


def _filter(condition: Condition, alias: str, prefix: str) -> Where:
    if condition.field == "_tags":
        return _tag_filter(condition, prefix)
    if condition.field == "status" and condition.operator == "eq":
        return Where("(" + " OR ".join(_STATUS_IS[str(status)] for status in condition.values) + ")", {})
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
        return _indexed_tags(condition, prefix)
    parameters = {f"{prefix}{place}": f"%{_escaped(str(tag))}%" for place, tag in enumerate(condition.values)}
    joined = " AND " if condition.operator == "likeall" else " OR "
    return Where("(" + joined.join(f"{ALL_TAGS}::text ILIKE %({name})s" for name in parameters) + ")", parameters)


def _indexed_tags(condition: Condition, prefix: str) -> Where:
    """Tags looked up for one run at a time: OFFSET keeps the planner from joining all runs with all tags instead."""
    parts, parameters = [], dict[str, Any]()
    for place, tags in enumerate(_each_needed(condition)):
        parameters[f"{prefix}{place}"] = [tag[:_LONGEST_INDEXED_TAG] for tag in tags]
        parts.append(
            f"EXISTS (SELECT 1 FROM run_tags h WHERE h.flow_id = r.flow_id AND h.tag = ANY(%({prefix}{place})s) "
            "AND h.ts_epoch = r.ts_epoch AND h.run_number = r.run_number OFFSET 0)"
        )
    if any(len(str(tag)) > _LONGEST_INDEXED_TAG for tag in condition.values):
        parts.append(f"{ALL_TAGS} {'?&' if condition.operator == 'all' else '?|'} %({prefix}tags)s::text[]")
        parameters[f"{prefix}tags"] = list(condition.values)
    return Where(" AND ".join(parts), parameters)


def _each_needed(condition: Condition) -> list[list[str]]:
    """Lists of tags, of each of which a run must have one."""
    tags = [str(tag) for tag in condition.values]
    return [tags] if condition.operator == "any" else [[tag] for tag in tags]


def runs_with(tags: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """A source ``g`` of the runs of a flow with any of the tags, each once, and its parameters; of one tag in its order."""
    indexed = [tag[:_LONGEST_INDEXED_TAG] for tag in tags]
    one = "SELECT ts_epoch, run_number FROM run_tags WHERE flow_id = %(flow)s AND tag = %(of)s"
    any_of = "SELECT DISTINCT ts_epoch, run_number FROM run_tags WHERE flow_id = %(flow)s AND tag = ANY(%(of)s)"
    source, of = (one, indexed[0]) if len(indexed) == 1 else (any_of, indexed)
    return f"({source}) g JOIN runs r ON r.run_number = g.run_number", {"of": of}


COMMON = 1000
# How many runs of a flow have each tag, no further than to `COMMON`, the rarest first.
COUNT_TAGS = f"""
SELECT tag, (
    SELECT count(*) FROM (
        SELECT 1 FROM run_tags g WHERE g.flow_id = %(flow)s AND g.tag = left(asked.tag, {_LONGEST_INDEXED_TAG}) LIMIT {COMMON}
    ) seen
) AS runs FROM unnest(%(tags)s) WITH ORDINALITY AS asked (tag, place) ORDER BY runs, place
"""
