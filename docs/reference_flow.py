"""The flow whose command line the reference shows: one parameter, so that its option can be seen among the others."""

from pathlib import Path

from stepwell import FlowSpec, Parameter, step
from stepwell.commands.flow_cli import command_group


class Example(FlowSpec):
    """What stands here in your flow's docstring."""

    rate = Parameter("rate", default=0.5, help="A parameter of the flow.")

    @step
    def start(self) -> None:
        """Each flow begins with `start`."""
        self.next(self.end)

    @step
    def end(self) -> None:
        """Each flow ends with `end`."""


commands = command_group(Example, Path("flow.py"))
