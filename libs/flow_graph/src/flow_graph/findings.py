"""What `check` reports."""

from __future__ import annotations

from typing import Literal

import attrs

Severity = Literal["error", "warning"]


@attrs.frozen
class Finding:
    """One thing that is wrong with a graph: what, where, and what to do about it.

    `code` is stable and may be relied on; the words may change. `line` is 1-based, `None` where the graph was not read
    from source. `step` is the step concerned, `None` for the flow as a whole.
    """

    code: str
    message: str
    help: str
    step: str | None = None
    file: str | None = None
    line: int | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.file or 'line'}:{self.line}: " if self.line else ""
        return f"{where}{self.severity}: {self.message} {self.help} [{self.code}]"
