"""Tags on a command line."""

from __future__ import annotations

import click


def checked_tags(context: click.Context, parameter: click.Parameter, tags: tuple[str, ...]) -> tuple[str, ...]:
    """The tags that a run is to start with, before anything is begun; raises `click.BadParameter`."""
    if tags:
        from stepwell.client.tags import check_tags
        from stepwell.errors import InvalidTag

        try:
            return check_tags(tags)
        except InvalidTag as error:
            raise click.BadParameter(str(error)) from error
    return tags
