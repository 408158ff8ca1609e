"""What somebody may have meant who mistyped a name."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    """A question, behind a space, with the known name that is nearest to this one.

    Nothing where none is near; `alike` says how much must be the same, from 0 to 1.
    """
    from difflib import get_close_matches

    by_lower = {one.lower(): one for one in known}
    nearest = get_close_matches(name.lower(), by_lower, n=1, cutoff=alike)
    return f" Did you mean '{by_lower[nearest[0]]}'?" if nearest else ""


def python_command(file: str) -> str:
    """What a person types to run a file, as a shell takes it: `python 'my flow.py'`."""
    import shlex

    return f"python {shlex.quote(file)}"
