"""Walk the tree of a method in the order of execution.

With a stack of its own: source may be nested deeper than Python's stack.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from flow_graph.artifacts import Artifacts
from flow_graph.methods import expressions, statements
from flow_graph.methods.notes import CERTAIN, Notes, Part, Surroundings, Written, children, is_name
from flow_graph.parsing import receiver_of

Visit = Callable[..., Iterator[Part]]


def scan_method(written: Written, surroundings: Surroundings) -> Artifacts:
    """What a method does with artifacts."""
    arguments = [argument.arg for argument in (*written.method.args.posonlyargs, *written.method.args.args)]
    if not arguments or any(is_name(mark, "staticmethod", "classmethod") for mark in written.method.decorator_list):
        return Artifacts()
    notes = Notes(written, surroundings, receiver_of(written.method), arguments[1] if len(arguments) > 1 else None)
    walk(notes, [(statement, CERTAIN) for statement in written.method.body])
    while notes.later:
        walk(notes, [notes.later.pop()])
    return notes.result()


def walk(notes: Notes, parts: Iterable[Part]) -> None:
    """Walk parts and all that is in them, in the order of execution."""
    stack = list(parts)[::-1]
    while stack:
        node, sure = stack.pop()
        visit = VISITS.get(type(node))
        stack += list(visit(notes, node, sure) if visit else children(node, sure))[::-1]


VISITS: dict[type[ast.AST], Visit] = {
    ast.Attribute: expressions.visit_attribute,
    ast.Name: expressions.visit_name,
    ast.Call: expressions.visit_call,
    ast.BoolOp: expressions.visit_choice,
    ast.IfExp: expressions.visit_choice,
    ast.ListComp: expressions.visit_comprehension,
    ast.SetComp: expressions.visit_comprehension,
    ast.DictComp: expressions.visit_comprehension,
    ast.GeneratorExp: expressions.visit_comprehension,
    ast.Assign: statements.visit_assign,
    ast.AnnAssign: statements.visit_assign,
    ast.AugAssign: statements.visit_assign,
    ast.If: statements.visit_branch,
    ast.While: statements.visit_branch,
    ast.Match: statements.visit_branch,
    ast.Assert: statements.visit_assert,
    ast.For: statements.visit_for,
    ast.AsyncFor: statements.visit_for,
    ast.Try: statements.visit_try,
    ast.With: statements.visit_with,
    ast.AsyncWith: statements.visit_with,
    ast.FunctionDef: statements.visit_function,
    ast.AsyncFunctionDef: statements.visit_function,
    ast.Lambda: statements.visit_function,
    ast.ClassDef: statements.visit_class,
}
if hasattr(ast, "TryStar"):  # from Python 3.11
    VISITS[ast.TryStar] = statements.visit_try
