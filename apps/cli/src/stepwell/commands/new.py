"""`stepwell new`: a flow to start from."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path

import click

from stepwell.commands.examples import examples
from stepwell.errors import FlowFileError
from stepwell.suggesting import python_command

TEMPLATE = '''"""{name}: say what it is for."""

from stepwell import FlowSpec, Parameter, step


class {name}(FlowSpec):
    """Squares some numbers, each in a task of its own, and adds them up."""

    count = Parameter("count", default=3, help="How many numbers.")

    @step
    def start(self):
        """What is assigned to self is kept, and the steps behind can read it."""
        self.numbers = list(range(self.count))
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        """One task for each number."""
        self.squared = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        """All tasks of the foreach come together."""
        self.total = sum(one.squared for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        """The last step."""
        print("The total is", self.total)


if __name__ == "__main__":
    {name}()
'''


@click.command(
    "new",
    help="Write a flow to start from into FILE (its name names the flow).",
    epilog=examples("stepwell new squares", "python squares.py run"),
)
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Write the file; one that is there is left alone."""
    file = file if file.suffix else file.with_suffix(".py")
    name = class_name(file.stem)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(TEMPLATE.format(name=name))
    except FileExistsError:
        raise FlowFileError(f"{file} exists already: choose another name, or remove it") from None
    except OSError as error:
        raise FlowFileError(f"{file} cannot be written: {error.strerror}") from error
    print(f"Wrote {file} with the flow {name}. Run it: {python_command(str(file))} run")


def class_name(stem: str) -> str:
    """The flow's name in a file of this name: train_model.py holds TrainModel. Raises `FlowFileError` where it gives none."""
    parts = [part for part in "".join(c if c.isalnum() else " " for c in stem).split() if part]
    name = "".join(part[0].upper() + part[1:] for part in parts)
    if stem in (*sys.stdlib_module_names, "stepwell"):
        raise FlowFileError(
            f"'{stem}' is a module that a flow imports, and would find this file instead: choose another name"
        )
    if not name.isidentifier() or keyword.iskeyword(name) or name in ("FlowSpec", "Parameter"):
        raise FlowFileError(
            f"'{stem}' gives no name for a flow: choose one of letters and digits that begins with a letter"
        )
    return name
