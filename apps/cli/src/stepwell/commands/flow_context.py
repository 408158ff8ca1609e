"""What every command of a flow needs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from stepwell.api.options import FlowOptions
from stepwell.config import Settings

if TYPE_CHECKING:
    from stepwell.api.definition import FlowDefinition
    from stepwell.api.flowspec import FlowSpec


@attrs.frozen
class FlowContext:
    """A flow file's class, and what stood before the command: settings, what it says about the flow, `--quiet`."""

    cls: type[FlowSpec]
    file: Path
    settings: Settings
    options: FlowOptions = attrs.field(factory=FlowOptions)
    quiet: bool = False

    @cached_property
    def flow(self) -> FlowDefinition:
        """The flow, read and checked when it is first needed; raises `FlowError`."""
        from stepwell.api.definition import read_flow

        return read_flow(self.cls, self.file, self.options)
