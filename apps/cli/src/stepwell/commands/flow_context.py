"""What every command of a flow needs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from stepwell.config import Settings

if TYPE_CHECKING:
    from stepwell.api.definition import FlowDefinition
    from stepwell.api.flowspec import FlowSpec


@attrs.frozen
class FlowContext:
    """A flow file's class, and what stood before the command: settings, decorators for all steps (`--with`), `--quiet`."""

    cls: type[FlowSpec]
    file: Path
    settings: Settings
    decorators: tuple[str, ...] = ()
    quiet: bool = False

    @cached_property
    def flow(self) -> FlowDefinition:
        """The flow, read and checked when it is first needed; raises `FlowError`."""
        from stepwell.api.decorators.base import parse_with
        from stepwell.api.decorators.kinds import KINDS
        from stepwell.api.definition import read_flow

        flow = read_flow(self.cls, self.file)
        for text in self.decorators:
            flow = flow.attach_to_all(parse_with(text, KINDS))
        return flow
