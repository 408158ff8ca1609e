"""Values of a state: text that is known when the machine is compiled, and JSONata that is computed when it runs."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping

import attrs

from sched_sfn import arguments
from sched_sfn.errors import InvalidArgument


@attrs.frozen
class Jsonata:
    """A JSONata expression; `str()` gives it as the state language wants it, between `{%` and `%}`."""

    text: str

    def __str__(self) -> str:
        return f"{{% {self.text} %}}"


Part = str | Jsonata
"""A piece of text: a literal, or an expression whose value is a string."""

SLOTS = ("execution", "input", "redrives", "step", "path", "iteration", "task_id", "offset")


def check_slots(template: Template, attribute: object, text: str) -> None:
    """Refuse a template that cannot be filled."""
    arguments.text("Template's text", text)
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise InvalidArgument("Template's text", text, f"well formed ({error}): write {{{{ for a brace") from error
    for _, slot, spec, conversion in pieces:
        if slot is not None and (slot not in SLOTS or spec or conversion):
            known = ", ".join(f"{{{name}}}" for name in SLOTS)
            raise InvalidArgument("Template's text", text, f"text whose slots, as they stand here, are among {known}")


@attrs.frozen
class Template:
    """Text with slots that the machine fills for each task, `Template("runs/{execution}/{step}/{task_id}/done.json")`.

    - `{execution}`: the name of the execution (of the outermost, inside the children of a distributed map).
    - `{input}`: the execution's input, as JSON text.
    - `{redrives}`: how often the execution was redriven, from 0 (that of an item, inside the children of a distributed map).
    - `{step}`, `{task_id}`: the task's name as in `flow_graph`; an array job has no one task id.
    - `{path}`: the task's foreach indices, as in `3-1`, empty outside every foreach; in an array job the indices of the array
      itself: each child adds its own.
    - `{iteration}`: the round of a recursive switch, from 0.
    - `{offset}`: what each child of an array job adds to its array index to have its foreach index; 0 unless the foreach is
      wider than one array.

    `{{` and `}}` stand for braces. Raises InvalidArgument for unknown slots.
    """

    text: str = attrs.field(validator=check_slots)

    @property
    def slots(self) -> frozenset[str]:
        """The slots that occur in it."""
        return frozenset(slot for _, slot, _, _ in string.Formatter().parse(self.text) if slot)

    def fill(self, slots: Mapping[str, tuple[Part, ...]]) -> str:
        """The text with each slot filled with its pieces, as a value of a state."""
        parts: list[Part] = []
        for literal, slot, _, _ in string.Formatter().parse(self.text):
            parts += [literal, *(slots[slot] if slot else ())]
        return joined(*parts)


def joined(*parts: Part) -> str:
    """Pieces put together, as a value of a state: plain text if all are literals, an expression otherwise."""
    pieces = merged(parts)
    if all(isinstance(piece, str) for piece in pieces):
        text = "".join(str(piece) for piece in pieces)
        # Text that looks like an expression must be a string inside of one; so must an empty one, for asl-validator.
        return str(Jsonata(quoted(text))) if (text.startswith("{%") and text.endswith("%}")) or not text else text
    return str(expression(*pieces))


def expression(*parts: Part) -> Jsonata:
    """Pieces put together, as one expression."""
    pieces = merged(parts) or [""]
    return Jsonata(" & ".join(piece.text if isinstance(piece, Jsonata) else quoted(piece) for piece in pieces))


def expression_of(value: str) -> str:
    """The text of the expression that has the same value as a value of a state."""
    is_expression = value.startswith("{%") and value.endswith("%}")
    return value[2:-2].strip() if is_expression else quoted(value)


def merged(parts: tuple[Part, ...]) -> list[Part]:
    """The pieces, literals that follow each other as one, empty ones left out."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return found


def quoted(text: str) -> str:
    """A JSONata string; in single quotes where possible, as those need no escape in JSON."""
    literal = json.dumps(text, ensure_ascii=False)
    return literal if "'" in text else f"'{literal[1:-1]}'"
