"""`stepwell completion`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click

from stepwell.commands.examples import examples


@click.command(
    "completion",
    help="Print the script that lets a shell complete commands, options, and the paths of runs.",
    epilog=examples(
        """echo 'eval "$(stepwell completion bash)"' >> ~/.bashrc""",
        """echo 'eval "$(stepwell completion zsh)"' >> ~/.zshrc""",
        "stepwell completion fish > ~/.config/fish/completions/stepwell.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for a shell."""
    from click.shell_completion import get_completion_class

    from stepwell.commands.main import stepwell

    kind = get_completion_class(shell)
    assert kind is not None  # click knows the three
    print(kind(stepwell, {}, "stepwell", "_STEPWELL_COMPLETE").source())
