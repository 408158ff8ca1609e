"""What every command of a flow needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from stepwell.api.options import FlowOptions
from stepwell.config import Settings, user_name

if TYPE_CHECKING:
    import click

    from stepwell.api.configs import GivenConfigs
    from stepwell.api.definition import FlowDefinition
    from stepwell.api.flowspec import FlowSpec
    from stepwell.api.parameters import ParameterContext
    from stepwell.api.plan import FlowPlan
    from stepwell.scheduling.resuming import PastRun


@attrs.frozen(slots=False)
class FlowContext:
    """A flow file's class, and what stood before the command: settings, what it says about the flow, `--quiet`, configs.

    `config_files` and `config_texts` are `--config` and `--config-value`, by name; `trigger` is the run whose end a run is to be
    told of; `kept` are configs of a run that is gone on with, by attribute.
    """

    cls: type[FlowSpec]
    file: Path
    settings: Settings
    options: FlowOptions = attrs.field(factory=FlowOptions)
    quiet: bool = False
    config_files: Mapping[str, str] = attrs.field(factory=dict)
    config_texts: Mapping[str, str] = attrs.field(factory=dict)
    trigger: str | None = None
    kept: Mapping[str, Any] = attrs.field(factory=dict)

    def with_options(self, options: FlowOptions) -> FlowContext:
        """The same with other options; configs and mutators, which know nothing of them, are not read and run again."""
        other = attrs.evolve(self, options=options)
        known = ("given_configs", "config_values", "plan", "parameter_options")
        other.__dict__.update({name: self.__dict__[name] for name in known if name in self.__dict__})
        return other

    @cached_property
    def given_configs(self) -> GivenConfigs:
        """What the command line and the environment say of configs; raises `ConfigError`."""
        from stepwell.api.configs import given_configs

        return given_configs(os.environ, self.config_files, self.config_texts)

    @cached_property
    def config_values(self) -> dict[str, Any]:
        """The flow's configs by attribute, read when they are first needed; raises `ConfigError`."""
        from stepwell.api.configs import configs, read_configs

        return read_configs(configs(self.cls), self.given_configs, self._asked_by({}), self.kept)

    @cached_property
    def plan(self) -> FlowPlan:
        """The flow as its mutators change it; raises `ConfigError`, `DecoratorError`."""
        from stepwell.api.configs import configs, names_of
        from stepwell.api.plan import plan_flow

        return plan_flow(self.cls, names_of(configs(self.cls), self.config_values))

    @cached_property
    def parameter_options(self) -> tuple[click.Option, ...]:
        """The options of the flow's parameters."""
        return tuple(parameter.option() for parameter in self.plan.parameters.values())

    def parameter_values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a run starts with, from what was given on the command line; raises `ParameterError`."""
        from stepwell.api.parameters import values_of_run

        return values_of_run(self.plan.parameters, given, self._asked_by(self.plan.names))

    def _asked_by(self, names: Mapping[str, Any]) -> ParameterContext:
        from stepwell.api.parameters import ParameterContext

        kind = self.settings.get("STEPWELL_DATASTORE") or "local"
        return ParameterContext(self.cls.__name__, user_name(self.settings), ds_type=kind, configs=names)

    @cached_property
    def flow(self) -> FlowDefinition:
        """The flow, read and checked when it is first needed; raises `FlowError`."""
        from stepwell.api.definition import read_flow

        return read_flow(self.cls, self.file, self.options, self.config_values, self.plan)

    def going_on_with(self, run: PastRun) -> FlowContext:
        """The same, with the configs that a run has where none are given."""
        from stepwell.execution.kept import kept_configs

        return attrs.evolve(self, kept=kept_configs(self.cls, run.record, run.stores))
