"""Where commands look: in your own namespace, or everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext
    from stepwell.config import Settings

everywhere = click.option(
    "--all", "everywhere", is_flag=True, help="Look in every namespace, not only at your own runs."
)


def look_everywhere(settings: Settings | None = None) -> None:
    """Look at everybody's runs, in the stores that the settings of a command name."""
    from stepwell.client.scope import namespace

    use(settings)
    namespace(None)


def use(settings: Settings | None) -> None:
    """Look into the stores that the settings of a command name."""
    if settings is not None:
        from stepwell.client.scope import use_settings

        use_settings(settings)


def in_flow(context: FlowContext, path: str) -> str:
    """The whole path of what a command of a flow names without the flow."""
    name = context.cls.__name__
    return path if path.startswith(f"{name}/") else f"{name}/{path}"
