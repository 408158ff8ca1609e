"""AWS's cron expressions: six fields, minutes to years, one of the two days `?`. Source: the EventBridge user guide."""

from __future__ import annotations

import re

import attrs

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@attrs.frozen
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = ""  # a pattern of what only this field takes

    def accepts(self, text: str) -> bool:
        """Whether the text is a list of values, ranges and steps within the field's bounds."""
        return all(self._accepts_one(part.upper()) for part in text.split(","))

    def _accepts_one(self, part: str) -> bool:
        if self.special and re.fullmatch(self.special, part):
            return True
        values, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and int(step) > 0):
            return False
        if values == "*":
            return True
        bounds = [self._number(value) for value in values.split("-")]
        known = [number for number in bounds if number is not None]
        return len(known) == len(bounds) <= 2 and known == sorted(known)

    def _number(self, text: str) -> int | None:
        if text in self.names:
            return self.names.index(text) + 1
        if text.isdecimal() and self.least <= int(text) <= self.most:
            return int(text)
        return None


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day of month", 1, 31, special=r"\?|L|L?W|([1-9]|[12]\d|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 1, 7, _DAYS, special=rf"\?|L|([1-7]|{'|'.join(_DAYS)})(L|#[1-5])"),
    _Field("year", 1970, 2199),
)


def why_no_cron(expression: str) -> str | None:
    """What is wrong with a cron expression of AWS, for people; None where nothing is."""
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        return f"cron={expression!r} has {len(parts)} fields; AWS's cron has six: {names}"
    for field, part in zip(_FIELDS, parts, strict=True):
        if not field.accepts(part):
            return f"cron={expression!r}: {part!r} is no {field.name} ({field.least} to {field.most})"
    if (parts[2] == "?") == (parts[4] == "?"):
        return f"cron={expression!r}: just one of day of month and day of week must be '?'"
    return None
