"""Commands that take the parameters of a flow as options."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import click

from stepwell.commands.flow_context import FlowContext


class WithParameters(click.Command):
    """A command with an option for each parameter of its flow, which are known once the flow's configs are read."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters of the flow, then the command's own."""
        context = ctx.find_object(FlowContext)
        return [*(context.parameter_options if context else ()), *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; one with dashes may be written with underscores, as programs do that know it from Python."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        return super().parse_args(ctx, [_spelled(word, known) for word in args])


def _spelled(word: str, known: Set[str]) -> str:
    name, *value = word.split("=", 1)
    dashed = name.replace("_", "-")
    return "=".join([dashed, *value]) if name.startswith("--") and name not in known and dashed in known else word


def split_values(context: FlowContext, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given for parameters of the flow, and what for the command's own options."""
    names = context.plan.parameters
    return (
        {name: value for name, value in given.items() if name in names},
        {name: value for name, value in given.items() if name not in names},
    )
