"""Findings as a compiler shows them: where, what, the line of source with a caret, and what to do."""

from __future__ import annotations

from flow_graph.arguments import require
from flow_graph.findings import Finding
from flow_graph.positions import Span


def render(finding: Finding) -> str:
    """A finding on several lines, the source with a caret among them if the file can still be read.

    ```text
     flow.py:12:19: error: Step 'start' leads to 'trian', which is no step of the flow. [FG022 unknown-step]
    12 |         self.next(self.trian)
       |                   ^^^^^^^^^^
       = help: Did you mean 'train'?
    ```
    """
    require(Finding, "The finding", finding, "a Finding, as check() gives them")
    where = f"{finding.file or '<unknown>'}:{finding.at.line}:{finding.at.column}: " if finding.at else ""
    lines = [f"{where}{finding.severity}: {finding.message} [{finding.code} {finding.slug}]"]
    if finding.at and finding.file:
        lines += excerpt(finding.file, finding.at)
    if finding.help:
        lines.append(f"{GUTTER}= help: {finding.help}")
    return "\n".join(lines)


GUTTER = " " * 6


def excerpt(file: str, at: Span) -> list[str]:
    """A line of source, and a line that marks a stretch of it; nothing if the file is not there or has changed."""
    import linecache

    line = linecache.getline(file, at.line).rstrip()
    if len(line) < at.column:
        return []
    marked = line[at.column - 1 : at.end_column - 1]
    return [
        f"{at.line:>5} | {line}",
        f"{GUTTER}| {blank(line[: at.column - 1])}{'^' * max(1, width(marked))}",
    ]


def blank(text: str) -> str:
    """White space as wide as a text; tabs stay, as only the terminal knows how wide they are."""
    return "".join("\t" if char == "\t" else " " * width(char) for char in text)


def width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
