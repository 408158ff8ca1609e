"""Read a flow's graph from the source of its class. Nothing of it is executed, and each file is parsed once."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType

import attrs

from flow_graph.errors import SourceUnavailable
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Node
from flow_graph.parsing import Method, find_mark, first_doc_line, parse_step

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def read_class(cls: type, step: str = "step", transition: str = "next") -> FlowGraph:
    """The graph of a class whose steps are the methods decorated with `@step` and end with `self.next(...)`.

    Steps are found by the decorator's name in the source (`@step`, `@module.step`, `@step(...)`); `step` and
    `transition` rename the two. Inherited steps are read from their own class's file, and are overridden as Python
    does it. The graph is not checked: see `check`. Raises SourceUnavailable.
    """
    source = Source(step, transition)
    for base in reversed(cls.__mro__[:-1]):
        source.add(base, required=base is cls)
    own = source.own
    return FlowGraph(
        cls.__name__,
        source.nodes,
        doc=first_doc_line(own) if own else "",
        file=source.own_file,
        line=own.lineno if own else None,
        findings=source.findings,
    )


@attrs.define
class Source:
    """What was read so far, from the bases down to the class itself."""

    step: str
    transition: str
    nodes: dict[str, Node] = attrs.field(factory=dict)
    findings: list[Finding] = attrs.field(factory=list)
    trees: dict[str, ast.Module | None] = attrs.field(factory=dict)
    own: ast.ClassDef | None = None
    own_file: str | None = None

    def add(self, cls: type, *, required: bool) -> None:
        """Read the steps of one class; if it is not `required`, one without source has none."""
        file = find_file(cls)
        if file is None:
            if required:
                raise SourceUnavailable(cls.__qualname__, None, "it was not defined in a file")
            return
        tree = self.parse(cls, file, required=required)
        definition = find_class(tree, cls) if tree is not None else None
        if definition is not None:
            self.add_steps(definition, file)
        elif required:
            raise SourceUnavailable(cls.__qualname__, file, "the file holds no class of this name")
        self.own, self.own_file = definition, file

    def parse(self, cls: type, file: str, *, required: bool) -> ast.Module | None:
        """The tree of a file, `None` if a base's file has no source or does not even contain the decorator's name."""
        if file in self.trees and not (required and self.trees[file] is None):
            return self.trees[file]
        try:
            text = read_source(file, cls)
            # Bases such as the framework's own are long and hold no steps: do not parse them.
            relevant = required or re.search(rb"@[ \w.]*\b%s\b" % self.step.encode(), text) is not None
            tree = ast.parse(text, file) if relevant else None
        except (OSError, SyntaxError, ValueError) as error:
            if required:
                raise SourceUnavailable(cls.__qualname__, file, str(error), getattr(error, "lineno", None)) from error
            tree = None
        self.trees[file] = tree
        return tree

    def add_steps(self, definition: ast.ClassDef, file: str) -> None:
        """Add the steps that a class defines; what it defines otherwise hides an inherited step."""
        met: dict[str, Method] = {}
        for statement in statements(definition.body):
            if isinstance(statement, Method):
                mark = find_mark(statement, self.step)
                self.nodes.pop(statement.name, None)
                if mark is not None:
                    # Two in the branches of an `if` are a choice, two in a row a slip.
                    if statement.name in met and statement in definition.body:
                        self.findings.append(defined_twice(statement, met[statement.name], file))
                    met[statement.name] = statement
                    self.nodes[statement.name] = parse_step(statement, mark, file, self.transition)
            else:
                for name in assigned_names(statement):
                    self.nodes.pop(name, None)


def defined_twice(method: Method, earlier: Method, file: str) -> Finding:
    """The warning that a step hides another of the same class."""
    return Finding(
        "duplicate-step",
        f"Step {method.name!r} is defined twice; the one on line {earlier.lineno} is never used.",
        "Rename or remove one of them.",
        method.name,
        file,
        method.lineno,
        "warning",
    )


def assigned_names(statement: ast.stmt) -> list[str]:
    """The names that an assignment in a class body binds."""
    match statement:
        case ast.Assign(targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(ast.Name(name), value=ast.expr()) | ast.ClassDef(name):
            return [name]
    return []


# ---- files and classes


def functions(cls: type) -> Iterator[FunctionType]:
    """The functions written in the body of a class, under whatever decorators keep them in `__wrapped__`."""
    for value in vars(cls).values():
        while not isinstance(value, FunctionType) and "__wrapped__" in getattr(value, "__dict__", ()):
            value = value.__dict__["__wrapped__"]
        if isinstance(value, FunctionType) and value.__qualname__.startswith(f"{cls.__qualname__}."):
            yield value


def find_file(cls: type) -> str | None:
    """The file that a class was defined in, absolute where possible."""
    code_files = [function.__code__.co_filename for function in functions(cls)]
    module_file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    # A function knows its file even if its module is not in sys.modules, but a script's may be a relative path.
    absolute = [file for file in code_files if Path(file).is_absolute() and Path(file).exists()]
    return next(iter([*absolute, *([module_file] if module_file else []), *code_files]), None)


def read_source(file: str, cls: type) -> bytes:
    """The text of a file, or of what has no file: a notebook's cell, a module in an archive."""
    try:
        return Path(file).read_bytes()
    except OSError:
        import linecache

        module = sys.modules.get(cls.__module__)
        lines = linecache.getlines(file, vars(module) if module else None)
        if not lines:
            raise
        return "".join(lines).encode()


def find_class(tree: ast.Module, cls: type) -> ast.ClassDef | None:
    """The definition of a class; of several with one name, the one that holds its functions, else the last."""
    bodies: list[list[ast.stmt]] = [tree.body]
    found: list[Definition] = []
    for part in cls.__qualname__.replace(".<locals>", "").split("."):
        found = [
            node for body in bodies for node in statements(body) if isinstance(node, Definition) and node.name == part
        ]
        bodies = [node.body for node in found]
    classes = [node for node in found if isinstance(node, ast.ClassDef)]
    lines = [function.__code__.co_firstlineno for function in functions(cls)] if len(classes) > 1 else []
    holding = [node for node in classes if any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)]
    return next(reversed(holding or classes), None)


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, those inside `if`, `try`, `with` and loops included, in order."""
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for field in ("body", "handlers", "orelse", "finalbody"):
                inner = getattr(statement, field, [])
                yield from statements(
                    [s for part in inner for s in getattr(part, "body", [])] if field == "handlers" else inner
                )
        else:
            yield statement
