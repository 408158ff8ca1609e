"""Where things stand in a source file."""

from __future__ import annotations

import ast

import attrs


@attrs.frozen
class Span:
    """A stretch of one line of source: the line, the column of its first character, and the column behind its last.

    All count from 1, columns in characters (Python's own syntax tree counts UTF-8 bytes from 0).
    """

    line: int
    column: int
    end_column: int


@attrs.frozen
class Text:
    """The lines of a source file, as they are needed to say where something stands."""

    lines: list[str]

    @classmethod
    def of(cls, source: str) -> Text:
        """The lines of a source as Python counts them: a form feed, unlike for `splitlines`, ends none."""
        return cls(source.split("\n"))

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> Span:
        """The place of a part of the syntax tree; of one on several lines, its first line."""
        line = self.lines[node.lineno - 1]
        whole = node.end_lineno == node.lineno and node.end_col_offset is not None
        end = characters(line, node.end_col_offset or 0) if whole else len(line.rstrip())
        return Span(node.lineno, characters(line, node.col_offset) + 1, end + 1)

    def name_span(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Span:
        """The place of the name that a definition defines; decorators stand before it and are not part of it."""
        line = self.lines[node.lineno - 1]
        column = max(0, line.find(node.name, characters(line, node.col_offset) + len("def")))
        return Span(node.lineno, column + 1, column + len(node.name) + 1)


def characters(line: str, offset: int) -> int:
    """How many characters the first `offset` UTF-8 bytes of a line are."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))
