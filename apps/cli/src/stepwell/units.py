"""Numbers as people read them."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """As in `1 task`, `1,000 tasks`."""
    return f"{number:,} {what}" + "s" * (number != 1)


def size(count: float) -> str:
    """Bytes, as in `1.5 MB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
