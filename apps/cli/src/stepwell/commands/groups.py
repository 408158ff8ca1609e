"""Command groups whose errors end in one line, as all of our errors do. Imports little: `--help` starts here."""

from __future__ import annotations

from typing import Any

import click

from stepwell.errors import NotBuiltYet


class StrictGroup(click.Group):
    """A group whose unknown commands and options end in one line, as all of our errors do."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's, with its errors shown by click itself (usage, exit status 2)."""
        try:
            return super().main(*args, **kwargs)
        except click.exceptions.Exit as stop:
            raise SystemExit(stop.exit_code) from None
        except click.Abort:
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            error.show()
            raise SystemExit(error.exit_code) from None

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command; one that a later version will have says so."""
        if args and args[0] in NOT_BUILT_YET:
            raise NotBuiltYet(f"This version of stepwell has no '{args[0]}' yet; --help lists what it has")
        return super().resolve_command(context, args)


NOT_BUILT_YET = frozenset({"spin", "card", "package", "batch"})
