"""`stepwell version`, and the same of a flow."""

from __future__ import annotations

import click

from stepwell.commands.examples import examples


@click.command("version", help="Print the version of stepwell.", epilog=examples("stepwell version"))
def version() -> None:
    """Print it."""
    import stepwell

    print(stepwell.__version__)
