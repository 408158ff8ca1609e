"""`python flow.py package list` and `save`: what jobs elsewhere get to run the flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup
from stepwell.commands.written_files import can_be_written

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext


@click.group("package", cls=StrictGroup, help="The code package, which jobs elsewhere unpack.")
def package() -> None:
    """Only groups the commands."""


@package.command(
    "list",
    help="List the files of the flow's folder that are packaged.",
    epilog=examples("python flow.py package list", "python flow.py --package-suffixes .csv,.yml package list"),
)
@click.pass_obj
def list_(context: FlowContext) -> None:
    """Print a line for each file."""
    from stepwell.deploying.ignoring import package_suffixes
    from stepwell.deploying.package import flow_files

    for name in sorted(flow_files(context.file, package_suffixes(context.settings))):
        print(name)


@package.command(
    "save", help="Write the code package, a zip, into FILE.", epilog=examples("python flow.py package save flow.zip")
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), callback=can_be_written)
@click.pass_obj
def save(context: FlowContext, file: Path) -> None:
    """Write the archive."""
    import hashlib

    from stepwell.deploying.package import package_for

    data = package_for(context.file, context.settings)
    file.write_bytes(data)
    print(f"Wrote {len(data):,} bytes into {file}; sha256 {hashlib.sha256(data).hexdigest()}")
