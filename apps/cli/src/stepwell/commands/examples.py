"""What stands below a command's options in `--help`: lines that a person may type as they are."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The end of a command's help, where click leaves the lines as they are."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
