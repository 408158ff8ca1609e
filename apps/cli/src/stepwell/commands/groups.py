"""Command groups whose errors end in one line, as all of our errors do. Imports little: `--help` starts here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click

from stepwell.errors import NotBuiltYet
from stepwell.suggesting import did_you_mean
from stepwell.terminal import ReaderGone


class StrictGroup(click.Group):
    """A group whose unknown commands and options end in one line that says what was meant, and whose `--help` cuts nothing."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As click's, with its errors shown by click itself (usage, exit status 2)."""
        try:
            return super().main(*args, **kwargs)
        except click.exceptions.Exit as stop:
            raise SystemExit(stop.exit_code) from None
        except click.Abort as abort:
            if isinstance(abort.__context__, EOFError):  # a question that nobody answers
                click.echo("Aborted!", err=True)
                raise SystemExit(1) from None
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            told = _placed(error) if isinstance(error, click.NoSuchOption) else error
            told.show()
            raise SystemExit(error.exit_code) from None

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click's, but for a reader who goes away."""
        with _told_of_readers():
            return super().make_context(*args, **kwargs)

    def invoke(self, context: click.Context) -> Any:
        """As click's, but for a reader who goes away."""
        with _told_of_readers():
            return super().invoke(context)

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command; one that a later version will have says so, another one suggests what was meant."""
        name = args[0] if args else ""
        if name in NOT_BUILT_YET:
            raise NotBuiltYet(f"This version of stepwell has no '{name}' yet; --help lists what it has")
        is_command = not context.resilient_parsing and name[:1] not in ("", "-")
        if is_command and self.get_command(context, name) is None:
            context.fail(f"No such command '{name}'.{did_you_mean(name, self.list_commands(context))}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with all of their first sentences, wrapped where they are longer than a line."""
        found = ((name, self.get_command(context, name)) for name in self.list_commands(context))
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(sys.maxsize)) for name, one in found if one is not None])


class LazyGroup(StrictGroup):
    """A group that imports a command when it is called for.

    `homes` gives, by the commands' names, module and attribute: the command, or a function that makes it; `aliases` what stands
    for other names, which are not listed.
    """

    def __init__(
        self,
        *args: Any,
        homes: Mapping[str, tuple[str, str]],
        aliases: Mapping[str, tuple[str, ...]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._homes, self._aliases = homes, aliases or {}

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command, by another name too."""
        words = [*self._aliases.get(args[0], args[:1]), *args[1:]]
        if words[:1] == ["--help"]:
            click.echo(context.get_help())
            context.exit()
        return super().resolve_command(context, words)

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands, in the order in which people meet them."""
        return list(self._homes)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command, once."""
        if name in self._homes and name not in self.commands:
            module, attribute = self._homes[name]
            found = getattr(import_module(module), attribute)
            self.commands[name] = found if isinstance(found, click.Command) else found()
        return super().get_command(context, name)


@contextlib.contextmanager
def _told_of_readers() -> Iterator[None]:
    """Raise `ReaderGone` for what click takes for a failure."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone from error


def _placed(error: click.NoSuchOption) -> click.NoSuchOption:
    """The error that tells of an unknown option whether it belongs before the command, or behind one."""
    context, name = error.ctx, error.option_name
    above = context.parent if context else None
    if context and above and any(name in option.opts for option in above.command.params):
        where = f"It stands before the command: {above.command_path} {name} ... {context.info_name}"
    elif context and isinstance(context.command, click.Group) and not error.possibilities:
        where = f"Options of a command stand behind it: {context.command_path} COMMAND {name}"
    else:
        return error
    return click.NoSuchOption(name, f"{error.message} {where}", ctx=context)


NOT_BUILT_YET = frozenset({"spin", "card"})
