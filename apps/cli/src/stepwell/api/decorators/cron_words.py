"""AWS's cron expressions in words."""

from __future__ import annotations

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def in_words(expression: str) -> str:
    """What a valid expression says, as in "at 10:00 on Monday to Friday"."""
    minute, hour, day, month, weekday, year = expression.upper().split()
    parts = [_time(minute, hour), _day(day, weekday)]
    if month != "*":
        parts.append(f"in {_values(month, _MONTHS)}")
    if year != "*":
        parts.append(f"in {_values(year, ())}")
    return " ".join(part for part in parts if part)


def _time(minute: str, hour: str) -> str:
    if minute.isdecimal() and hour.isdecimal():
        return f"at {int(hour):02}:{int(minute):02}"
    if minute.isdecimal() and hour == "*":
        return f"at minute {int(minute)} of every hour"
    minutes = "every minute" if minute == "*" else _steps(minute, "minute") or f"at the minutes {_values(minute, ())}"
    hours = "" if hour == "*" else _steps(hour, "hour") or f"of the hours {_values(hour, ())}"
    return f"{minutes} {hours}".strip()


def _steps(field: str, unit: str) -> str:
    first, slash, step = field.partition("/")
    if not slash or "," in field:
        return ""
    start = "" if first in ("*", "0") else f" from {unit} {first}"
    return f"every {step} {unit}s{start}" if step != "1" else f"every {unit}{start}"


def _day(day: str, weekday: str) -> str:
    if weekday not in ("?", "*"):
        return _weekday(weekday)
    if day in ("?", "*"):
        return "every day"
    if day == "L":
        return "on the last day of the month"
    if day == "LW":
        return "on the last weekday of the month"
    if day.endswith("W"):
        return f"on the weekday nearest to day {day[:-1]} of the month"
    return _steps(day, "day") or f"on day {_values(day, ())} of the month"


def _weekday(field: str) -> str:
    if "#" in field:
        name, _, number = field.partition("#")
        return f"on the {_ORDINALS[int(number) - 1]} {_values(name, _DAYS)} of the month"
    if field == "L":
        return "on Saturday"
    if field.endswith("L"):
        return f"on the last {_values(field[:-1], _DAYS)} of the month"
    return f"on {_values(field, _DAYS)}"


def _values(field: str, names: tuple[str, ...]) -> str:
    """A list of values and ranges; numbers from 1, or the first three letters of names, become those names."""

    def one(text: str) -> str:
        if text.isdecimal() and names:
            return names[int(text) - 1]
        return next((name for name in names if name[:3].upper() == text), text)

    parts = [" to ".join(map(one, part.split("-"))) for part in field.split(",")]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
