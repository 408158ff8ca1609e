"""A run as a notebook shows it: its steps as a graph, and what ran when. Plain HTML and SVG, nothing to load."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import attrs

from stepwell.client.lineage import Lineage

if TYPE_CHECKING:
    from stepwell.client.objects import Run

MOST_TASKS = 200
COLOURS = {"completed": "#2e7d32", "failed": "#c62828", "running": "#1565c0"}
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
    state = "completed" if run.successful else "failed" if run.finished else "running"
    tags = " ".join(f"<code>{escape(tag)}</code>" for tag in sorted(run.user_tags))
    head = (
        f'<b>{escape(run.pathspec)}</b> <span style="color:{COLOURS[state]}">{state}</span> {tags}<br>'
        f"<small>{escape(run.created_at.isoformat(' ', 'seconds'))}</small>"
    )
    return f'<div style="font-family:sans-serif">{head}{_graph(lineage, bars)}{_timeline(bars)}</div>'


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
