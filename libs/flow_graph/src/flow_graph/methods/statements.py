"""What is noted of statements. Each function gives the parts that are to be looked at next, in order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flow_graph.methods.notes import GUARDED, POSSIBLE, Notes, Part, children, is_name

CATCHES = frozenset({"AttributeError", "BaseException", "Exception"})
SUPPRESSING = frozenset({"suppress", "raises"})


def visit_assign(notes: Notes, node: ast.Assign | ast.AnnAssign | ast.AugAssign, sure: int) -> Iterator[Part]:
    """An assignment: the value comes first; `+=` reads its target, too. An annotation alone assigns nothing."""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
        yield ast.copy_location(ast.Attribute(node.target.value, node.target.attr, ast.Load()), node.target), sure
    if node.value is not None:
        yield node.value, sure
        if isinstance(node, ast.Assign):
            yield from ((target, sure) for target in node.targets)
            if isinstance(node.targets[0], ast.Name):
                notes.note_value(node.targets[0].id, node.value)
        else:
            yield node.target, sure


def visit_branch(notes: Notes, node: ast.If | ast.While | ast.Match, sure: int) -> Iterator[Part]:
    """A branch: only what it depends on is certain."""
    first = node.subject if isinstance(node, ast.Match) else node.test
    yield first, sure
    yield from ((part, min(sure, POSSIBLE)) for part, _ in children(node, sure) if part is not first)


def visit_assert(notes: Notes, node: ast.Assert, sure: int) -> Iterator[Part]:
    """An assertion: its message is for the case that it fails."""
    yield node.test, sure
    yield from ((part, min(sure, POSSIBLE)) for part in [node.msg] if part is not None)


def visit_for(notes: Notes, node: ast.For | ast.AsyncFor, sure: int) -> Iterator[Part]:
    """A loop: only the thing it goes over is certain."""
    yield node.iter, sure
    notes.note_elements(node.target, node.iter)
    yield from ((part, min(sure, POSSIBLE)) for part in (node.target, *node.body, *node.orelse))


def visit_try(notes: Notes, node: ast.Try, sure: int) -> Iterator[Part]:
    """A try: where a missing artifact is caught, reading it is all right."""
    catches = any(catches_missing(handler.type) for handler in node.handlers)
    inside = GUARDED if catches else min(sure, POSSIBLE) if node.handlers else sure
    yield from ((part, inside) for part in node.body)
    for part in (*node.handlers, *node.orelse):
        yield part, min(sure, POSSIBLE)
    yield from ((part, sure) for part in node.finalbody)


def visit_with(notes: Notes, node: ast.With | ast.AsyncWith, sure: int) -> Iterator[Part]:
    """A with: one that swallows errors is like a try."""
    for item in node.items:
        yield from children(item, sure)
    swallows = any(
        isinstance(item.context_expr, ast.Call) and is_name(item.context_expr.func, *SUPPRESSING) for item in node.items
    )
    yield from ((part, GUARDED if swallows else sure) for part in node.body)


def visit_function(
    notes: Notes, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, sure: int
) -> Iterator[Part]:
    """A function inside: its body is executed later, if at all, and may have a `self` of its own."""
    arguments = node.args
    yield from children(arguments, sure)
    if not isinstance(node, ast.Lambda):
        yield from ((mark, sure) for mark in node.decorator_list)
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    if notes.receiver not in {argument.arg for argument in every}:
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        notes.later += [(part, min(sure, POSSIBLE)) for part in reversed(body)]


def visit_class(notes: Notes, node: ast.ClassDef, sure: int) -> Iterator[Part]:
    """A class inside."""
    return children(node, min(sure, POSSIBLE))


def catches_missing(caught: ast.expr | None) -> bool:
    """Whether an `except` of this catches the error of a missing attribute."""
    if isinstance(caught, ast.Tuple):
        return any(is_name(part, *CATCHES) for part in caught.elts)
    return caught is None or is_name(caught, *CATCHES)
