"""What every command of a flow needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from stepwell.api.options import FlowOptions
from stepwell.config import Settings, user_name

if TYPE_CHECKING:
    from stepwell.api.definition import FlowDefinition
    from stepwell.api.flowspec import FlowSpec
    from stepwell.api.parameters import Parameter


@attrs.frozen
class FlowContext:
    """A flow file's class, and what stood before the command: settings, what it says about the flow, `--quiet`."""

    cls: type[FlowSpec]
    file: Path
    settings: Settings
    options: FlowOptions = attrs.field(factory=FlowOptions)
    quiet: bool = False

    def parameter_values(self, declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a run starts with, from what was given on the command line; raises `ParameterError`."""
        from stepwell.api.parameters import ParameterContext, values_of_run

        kind = self.settings.get("STEPWELL_DATASTORE") or "local"
        context = ParameterContext(self.cls.__name__, user_name(self.settings), ds_type=kind)
        return values_of_run(declared, given, context)

    @cached_property
    def flow(self) -> FlowDefinition:
        """The flow, read and checked when it is first needed; raises `FlowError`."""
        from stepwell.api.definition import read_flow

        return read_flow(self.cls, self.file, self.options)
