"""Times and ages as people type them: callbacks of options."""

from __future__ import annotations

import datetime as dt
import re

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_age(context: click.Context, parameter: click.Parameter, value: str | None) -> dt.timedelta | None:
    """An age: a number with a unit, as in 90s, 10m, 2h, 30d, 4w."""
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?)([smhdw])", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no age: give a number and a unit, as in 90s, 10m, 2h, 30d, 4w")
    return dt.timedelta(**{_UNITS[match[2]]: float(match[1])})


def read_moment(context: click.Context, parameter: click.Parameter, value: str | None) -> dt.datetime | None:
    """A moment in local time: an age (10m ago) or a time (2026-11-25, 2026-11-25T08:30)."""
    if value is None:
        return None
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        age = read_age(context, parameter, value)
        return dt.datetime.now() - age if age else None
    return found.astimezone().replace(tzinfo=None) if found.tzinfo else found
