"""What is noted of expressions. Each function gives the parts that are to be looked at next, in order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flow_graph.methods.notes import POSSIBLE, Notes, Part, is_name


def visit_attribute(notes: Notes, node: ast.Attribute, sure: int) -> Iterator[Part]:
    """`self.name`, `inputs.name`, `inputs[0].name`, or something else."""
    if notes.is_self(node.value):
        visit_own(notes, node, sure)
        return
    if notes.is_input(node.value) and isinstance(node.ctx, ast.Load):
        notes.read_input(node.attr, sure, notes.span(node))
    yield node.value, sure


def visit_own(notes: Notes, node: ast.Attribute, sure: int) -> None:
    """`self.name`, read, assigned or deleted."""
    name, at = node.attr, notes.span(node)
    if isinstance(node.ctx, ast.Store):
        notes.assign(name, sure, at)
    elif name == "__dict__":
        notes.opaque = True
    else:
        notes.read(name, sure, at)
        notes.follow(name, None, min(sure, POSSIBLE), at)


def visit_name(notes: Notes, node: ast.Name, sure: int) -> Iterator[Part]:
    """A bare `self`, which goes who knows where, or bare inputs."""
    if node.id == notes.receiver:
        notes.opaque = True
    elif node.id == notes.inputs:
        notes.uses_inputs = True
    return iter(())


def visit_call(notes: Notes, node: ast.Call, sure: int) -> Iterator[Part]:
    """A call, which may be one of a helper, of a merge, of a transition, or of what works on attributes by name."""
    function = node.func
    arguments: list[ast.expr] = [*node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(function, ast.Attribute) and notes.is_self(function.value):
        if function.attr == notes.surroundings.transition:
            yield from visit_transition(notes, node, sure)
            return
        yield from ((argument, sure) for argument in arguments)
        if function.attr == "merge_artifacts":
            notes.merges.append(notes.merge(node, sure))
        else:
            notes.read(function.attr, sure, notes.span(function))
            notes.follow(function.attr, None, sure, notes.span(function))
        return
    if isinstance(function, ast.Attribute) and is_super(function.value):
        notes.follow(function.attr, notes.written.layer, sure, notes.span(function))
    elif isinstance(function, ast.Name) and node.args and notes.is_self(node.args[0]):
        arguments = arguments[1:]
        notes.hand_on(function.id, node.args[1] if len(node.args) > 1 else None, sure, notes.span(node))
    else:
        notes.opaque |= is_name(function, "exec", "eval")
        yield function, sure
    yield from ((argument, sure) for argument in arguments)


def visit_transition(notes: Notes, node: ast.Call, sure: int) -> Iterator[Part]:
    """A transition: it reads what it names, and its targets are no helpers."""
    for argument in node.args:
        if isinstance(argument, ast.Dict):
            yield from ((key, sure) for key in argument.keys if key is not None)
    for keyword in node.keywords:
        value = keyword.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            notes.read(value.value, sure, notes.span(value))
        yield value, sure


def visit_choice(notes: Notes, node: ast.BoolOp | ast.IfExp, sure: int) -> Iterator[Part]:
    """`a and b`, `a if b else c`: only what comes first is certain."""
    first, *others = node.values if isinstance(node, ast.BoolOp) else (node.test, node.body, node.orelse)
    yield first, sure
    yield from ((other, min(sure, POSSIBLE)) for other in others)


def visit_comprehension(
    notes: Notes, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, sure: int
) -> Iterator[Part]:
    """A comprehension: only the first thing it goes over is certain."""
    for position, loop in enumerate(node.generators):
        yield loop.iter, min(sure, POSSIBLE) if position else sure
        notes.note_elements(loop.target, loop.iter)
        yield from ((part, min(sure, POSSIBLE)) for part in (loop.target, *loop.ifs))
    results = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
    yield from ((part, min(sure, POSSIBLE)) for part in results)


def is_super(node: ast.AST) -> bool:
    """Whether an expression is `super()`."""
    return isinstance(node, ast.Call) and is_name(node.func, "super")
