"""`stepwell completion`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click


@click.command("completion", help='Print a completion script; for bash: eval "$(stepwell completion bash)".')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for a shell."""
    from click.shell_completion import get_completion_class

    from stepwell.commands.main import stepwell

    kind = get_completion_class(shell)
    assert kind is not None  # click knows the three
    print(kind(stepwell, {}, "stepwell", "_STEPWELL_COMPLETE").source())
