"""Files that commands write: whether they can be is asked before anything else is done."""

from __future__ import annotations

import os
from pathlib import Path

import click


def can_be_written(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Look before anything begins, not when a run has an id and nobody could be told of it."""
    if value is None:
        return None
    if value.exists():  # a pipe, say, in a directory of others
        if not os.access(value, os.W_OK):
            raise click.BadParameter(f"{value} cannot be written to")
    elif not os.access(value.parent, os.W_OK | os.X_OK):
        why = "cannot be written into" if value.parent.is_dir() else "does not exist: make it first"
        raise click.BadParameter(f"the directory {value.parent} {why}")
    return value
