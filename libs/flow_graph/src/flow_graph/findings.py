"""What `check` reports."""

from __future__ import annotations

from typing import Any

import attrs

from flow_graph.positions import Span
from flow_graph.rules import RULES, Severity


@attrs.frozen
class Finding:
    """One thing that is wrong with a graph: what, where, and what to do about it.

    `slug` names the rule (`RULES[slug]`), `message` says what is wrong and `help` how to mend it, each in a sentence.
    `step` is the step concerned, `None` for the flow as a whole; `at` is the place in `file`, `None` where the graph was
    not read from source. `str(finding)` is one line; `render(finding)` shows the source with a caret.
    """

    slug: str
    message: str
    help: str
    step: str | None = None
    file: str | None = None
    at: Span | None = None
    severity: Severity = "error"

    @property
    def code(self) -> str:
        """The stable code of the rule, such as FG022."""
        return RULES[self.slug].code

    @property
    def line(self) -> int | None:
        """The line, from 1; `None` where the graph was not read from source."""
        return self.at.line if self.at else None

    @property
    def column(self) -> int | None:
        """The column of the first character, from 1; `None` where the graph was not read from source."""
        return self.at.column if self.at else None

    @property
    def structural(self) -> bool:
        """Whether this is about the graph as such, not about what the steps do with artifacts."""
        return RULES[self.slug].structural

    def __str__(self) -> str:
        where = f"{self.file or '<unknown>'}:{self.at.line}:{self.at.column}: " if self.at else ""
        return f"{where}{self.severity}: {self.message} {self.help} [{self.code} {self.slug}]"

    def to_data(self) -> dict[str, Any]:
        """The finding as plain data; what is not known is `None`."""
        return {
            "code": self.code,
            "slug": self.slug,
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
            "step": self.step,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_column": self.at.end_column if self.at else None,
        }

    def to_json(self) -> str:
        """The finding as JSON text, on one line."""
        import json

        return json.dumps(self.to_data())
