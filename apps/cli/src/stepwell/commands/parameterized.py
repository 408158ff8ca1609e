"""Commands that take the parameters of a flow as options."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

import click

from stepwell.commands.flow_context import FlowContext
from stepwell.running.arguments import AS_LIST


class WithParameters(click.Command):
    """A command with an option for each parameter of its flow, which are known once the flow's configs are read."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters of the flow, then the command's own."""
        context = ctx.find_object(FlowContext)
        return [*(context.parameter_options if context else ()), *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; one with dashes may be written with underscores, as programs do that know it from Python."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        context = ctx.find_object(FlowContext)
        words = _with_lists(args, context) if context and AS_LIST in args else args
        return super().parse_args(ctx, [_spelled(word, known) for word in words])


def _with_lists(args: list[str], context: FlowContext) -> list[str]:
    """The options, with a list that a program gave as the one JSON value, or the several values, that its parameter takes."""
    several = {one.name.replace("-", "_") for one in context.plan.parameters.values() if one.multiple}
    words, rest = [], iter(args)
    for word in rest:
        if word != AS_LIST:
            words.append(word)
            continue
        name, text = next(rest), next(rest)
        values = map(str, json.loads(text)) if name.replace("-", "_") in several else [text]
        words += [one for value in values for one in (f"--{name}", value)]
    return words


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
