"""What a notebook shows: lists of what there is, a run as a graph and what ran when. Plain HTML and SVG, nothing to load.

All of it is bounded: of many runs, tasks or artifacts the first are shown, and no value is loaded but a small one by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING

import attrs

from stepwell.client.lineage import Lineage
from stepwell.client.states import listed_state
from stepwell.units import counted, size

if TYPE_CHECKING:
    from stepwell.client.node import Node
    from stepwell.client.objects import DataArtifact, Flow, Run, Step, Task

MOST_TASKS, MOST_ROWS = 200, 20
MOST_BYTES, MOST_LETTERS = 64 * 1024, 2_000
"""Of a value that is shown: its size as it is kept, and the length of its text."""
COLOURS = {
    "completed": "#2e7d32",
    "failed": "#c62828",
    "running": "#1565c0",
    "lost": "#c62828",
    "removed": "#757575",
    "unreadable": "#c62828",
}
_COLUMN, _ROW, _BOX, _WIDTH = 150, 46, 28, 600


@attrs.frozen
class Bar:
    """When the tasks of a step ran: seconds since the epoch, in which state they are, and how many are drawn."""

    step: str
    tasks: int
    state: str
    spans: tuple[tuple[float, float], ...]


def run_as_html(run: Run) -> str:
    """A run's state, graph and timeline."""
    lineage = Lineage(*run.path_components)
    bars = [_bar(lineage, step, run.finished) for step in lineage.steps] if not run._is_foreign else []
    return _block(_head(run, _state(run), _tags(run), _time(run.created_at)), _graph(lineage, bars), _timeline(bars))


def flows_as_html(flows: Sequence[Flow]) -> str:
    """Flows, each with its newest run."""
    newest = ((flow, flow.latest_run) for flow in flows[:MOST_ROWS])
    rows = [[escape(flow.id), *(_run_cells(run) if run else [])] for flow, run in newest]
    return _block(
        f"<b>{counted(len(flows), 'flow')}</b>",
        _table(["flow", "newest run", "state", "begun", "tags"], rows, len(flows)),
    )


def flow_as_html(flow: Flow) -> str:
    """The newest runs of a flow."""
    runs = list(islice(flow.runs(), MOST_ROWS + 1))
    rows = [_run_cells(run) for run in runs[:MOST_ROWS]]
    return _block(_head(flow), _table(["run", "state", "begun", "tags"], rows, len(runs)))


def step_as_html(step: Step) -> str:
    """How many tasks a step has, and what became of the first."""
    tasks = list(step.tasks())
    rows = [[escape(task.id), _state(task), _time(task.finished_at)] for task in tasks[:MOST_ROWS]]
    return _block(_head(step, counted(len(tasks), "task")), _table(["task", "state", "done"], rows, len(tasks)))


def task_as_html(task: Task) -> str:
    """What became of a task, and its artifacts, none of which is loaded."""
    artifacts = list(task.artifacts)
    rows = [[escape(one.id), _size(one)] for one in artifacts[:MOST_ROWS]]
    why = f"<pre>{escape(task.exception.message)}</pre>" if task.exception else ""
    table = _table(["artifact", "size"], rows, len(artifacts))
    return _block(_head(task, _state(task), f"attempt {task.current_attempt}", _time(task.finished_at)), why, table)


def artifact_as_html(artifact: DataArtifact) -> str:
    """A small value; of a large one, how large it is."""
    return _block(_head(artifact, _size(artifact)), f"<pre>{escape(_preview(artifact))}</pre>")


def _preview(artifact: DataArtifact) -> str:
    if artifact._task._is_foreign:
        return "Another tool made it, and can load it."
    if artifact.size > MOST_BYTES:
        return "Not loaded, as it is large: .data loads it."
    try:
        text = repr(artifact.data)
    except Exception as error:  # its own repr may do anything
        return f"{type(error).__name__}: {error}"
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} …"


def _run_cells(run: Run) -> list[str]:
    return [escape(run.id), _state(run), _time(run.created_at), _tags(run)]


def _head(of: Node, *facts: str) -> str:
    return " &nbsp; ".join((f"<b>{escape(of.pathspec)}</b>", *(fact for fact in facts if fact)))


def _state(of: Run | Task) -> str:
    state = listed_state(of)
    return f'<span style="color:{COLOURS[state]}">{state}</span>'


def _tags(run: Run) -> str:
    return " ".join(f"<code>{escape(tag)}</code>" for tag in sorted(run.user_tags))


def _time(when: dt.datetime | None) -> str:
    return f"<small>{when.isoformat(' ', 'seconds')}</small>" if when else ""


def _size(artifact: DataArtifact) -> str:
    return "" if artifact._task._is_foreign else size(artifact.size)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], there_are: int) -> str:
    """Rows of cells that are HTML already; it says so where there are more than these."""
    lines = [f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    more = "<br><small>There are more.</small>" if there_are > len(rows) else ""
    return f"<table>{''.join(lines)}</table>{more}" if rows else "<br><small>There are none.</small>"


def _block(*parts: str) -> str:
    return f'<div style="font-family:sans-serif">{"".join(parts)}</div>'


def _bar(lineage: Lineage, step: str, is_over: bool) -> Bar:
    tasks = sorted(lineage.tasks(step))
    records = [lineage.record(step, task) for task in tasks[:MOST_TASKS]]
    done = [record for record in records if record]
    state = "completed" if len(done) == len(records) else "failed" if is_over else "running"
    return Bar(step, len(tasks), state, tuple((record.started, record.ended) for record in done))


def _columns(lineage: Lineage, steps: Iterable[str]) -> dict[str, int]:
    """How many steps are before each one, on the longest way."""
    columns: dict[str, int] = {}
    for step in steps:  # in the order in which they began, so that those before come first
        before = [columns[parent] for parent in lineage.step_parents(step) if parent in columns]
        columns[step] = max(before, default=-1) + 1
    return columns


def _graph(lineage: Lineage, bars: list[Bar]) -> str:
    if not bars:
        return ""
    columns = _columns(lineage, [bar.step for bar in bars])
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for bar in bars:
        row = rows.setdefault(columns[bar.step], 0)
        rows[columns[bar.step]] += 1
        places[bar.step] = (columns[bar.step] * _COLUMN + 5, row * _ROW + 5)
    width, height = (max(rows) + 1) * _COLUMN, max(rows.values()) * _ROW + 5
    arrows = [
        _arrow(places[step], places[child])
        for step in places
        for child in lineage.step_children(step)
        if child in places and child != step
    ]
    boxes = [_box(bar, places[bar.step]) for bar in bars]
    return _svg(width, height, [*arrows, *boxes])


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    middle = _BOX // 2
    x1, y1, x2, y2 = start[0] + _COLUMN - 30, start[1] + middle, end[0], end[1] + middle
    return f'<path d="M{x1} {y1} L{x2} {y2}" stroke="#888" fill="none"/>'


def _box(bar: Bar, place: tuple[int, int]) -> str:
    x, y = place
    label = bar.step if bar.tasks == 1 else f"{bar.step} x {bar.tasks}"
    return (
        f'<rect x="{x}" y="{y}" width="{_COLUMN - 30}" height="{_BOX}" rx="5" fill="{COLOURS[bar.state]}"/>'
        f'<text x="{x + 8}" y="{y + 18}" fill="#fff" font-size="12">{escape(_cut(label))}'
        f"<title>{escape(label)}: {bar.state}</title></text>"
    )


def _cut(label: str) -> str:
    return label if len(label) <= 17 else label[:16] + "…"


def _timeline(bars: list[Bar]) -> str:
    ran = [bar for bar in bars if bar.spans]
    if not ran:
        return ""
    begin = min(start for bar in ran for start, _ in bar.spans)
    seconds = max(max(end for bar in ran for _, end in bar.spans) - begin, 1e-3)
    parts = []
    for row, bar in enumerate(ran):
        y = row * 18 + 4
        parts.append(f'<text x="0" y="{y + 10}" font-size="11" fill="currentColor">{escape(_cut(bar.step))}</text>')
        for start, end in bar.spans:
            x, width = (start - begin) / seconds * _WIDTH, max((end - start) / seconds * _WIDTH, 1)
            parts.append(
                f'<rect x="{x + _COLUMN:.1f}" y="{y}" width="{width:.1f}" height="12" fill="#1565c0" fill-opacity="0.6">'
                f"<title>{escape(bar.step)}: {end - start:.3f} s</title></rect>"
            )
    cut = any(bar.tasks > MOST_TASKS for bar in bars)
    note = f"; of wide steps, {MOST_TASKS} tasks are drawn" if cut else ""
    return f"{_svg(_COLUMN + _WIDTH + 5, len(ran) * 18 + 8, parts)}<br><small>{seconds:.1f} s{note}</small>"


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    return (
        f'<br><svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )
