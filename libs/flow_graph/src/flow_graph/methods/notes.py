"""What is noted of a method while its tree is walked.

Where the source leaves a doubt, it is on the side of silence: nothing is noted that might be right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator

import attrs

from flow_graph.artifacts import Artifacts, Merge, Use
from flow_graph.parsing import Method
from flow_graph.positions import Span, Text

CERTAIN, POSSIBLE, GUARDED = 2, 1, 0
"""How sure it is that a part is executed. What is guarded may fail: a missing artifact is caught there."""

Part = tuple[ast.AST, int]

HARMLESS = frozenset({"bool", "dir", "format", "hash", "id", "isinstance", "print", "repr", "str", "super", "type"})
"""What `self` can be handed to without a thought that it might be changed."""

SEQUENCES = frozenset({"iter", "list", "reversed", "sorted", "tuple"})


@attrs.frozen
class Written:
    """A method as it is written in a class; `layer` is the class, counted from the bases down."""

    method: Method
    text: Text
    layer: int


@attrs.frozen
class Surroundings:
    """What a method can meet on `self` other than artifacts.

    - `transition`: the name of the method that makes transitions.
    - `provided`: what the class has as attributes: reading these is no reading of an artifact.
    - `unknown`: methods whose source cannot be read.
    - `follow(name, layer)`: what the method that `self.name` calls does; below a layer for `super().name`, `None` for
      `self.name`. It is empty for what the framework defines.
    """

    transition: str
    provided: Container[str]
    unknown: Container[str]
    follow: Callable[[str, int | None], Artifacts | None]


@attrs.define
class Notes:
    """What was seen so far of a method; `elements` are local names for single inputs of a join."""

    written: Written
    surroundings: Surroundings
    receiver: str
    inputs: str | None
    reads: dict[str, Use] = attrs.field(factory=dict)
    assigns: dict[str, Use] = attrs.field(factory=dict)
    input_reads: dict[str, Use] = attrs.field(factory=dict)
    merges: list[Merge] = attrs.field(factory=list)
    guarded: set[str] = attrs.field(factory=set)
    elements: set[str] = attrs.field(factory=set)
    later: list[Part] = attrs.field(factory=list)
    uses_inputs: bool = False
    opaque: bool = False

    def result(self) -> Artifacts:
        """All that was seen."""
        reads = tuple(use for name, use in self.reads.items() if name not in self.guarded)
        silent = (self.guarded, self.surroundings.provided)
        inputs = tuple(use for name, use in self.input_reads.items() if not any(name in names for names in silent))
        return Artifacts(reads, tuple(self.assigns.values()), inputs, tuple(self.merges), self.uses_inputs, self.opaque)

    def span(self, node: ast.AST) -> Span | None:
        """The place of an expression."""
        return self.written.text.span(node) if isinstance(node, ast.expr) else None

    def read(self, name: str, sure: int, at: Span | None, via: str = "") -> None:
        """Note that an artifact is read, if it is one, and was not assigned just before."""
        if sure == GUARDED or name in self.assigns or name.startswith("_") or name in self.surroundings.provided:
            return
        if name not in self.reads or (sure == CERTAIN and not self.reads[name].certain):
            self.reads[name] = Use(name, sure == CERTAIN, via, at)

    def read_input(self, name: str, sure: int, at: Span | None) -> None:
        """Note that an artifact is read of one of a join's inputs."""
        if sure == GUARDED or name.startswith("_"):
            return
        if name not in self.input_reads or (sure == CERTAIN and not self.input_reads[name].certain):
            self.input_reads[name] = Use(name, sure == CERTAIN, "", at)

    def assign(self, name: str, sure: int, at: Span | None, via: str = "") -> None:
        """Note that an artifact is assigned. To try it with a constant, and to expect the error, is no slip."""
        if sure == GUARDED and name in self.surroundings.provided:
            return
        if name not in self.assigns or (sure == CERTAIN and not self.assigns[name].certain):
            self.assigns[name] = Use(name, sure == CERTAIN, via, at)

    def follow(self, name: str, layer: int | None, sure: int, at: Span | None) -> None:
        """Note what a helper method does."""
        if name in self.surroundings.unknown:
            self.opaque = True
            return
        done = self.surroundings.follow(name, layer)
        if done is None:
            return
        for use in done.reads:
            self.read(use.name, sure if use.certain else min(sure, POSSIBLE), at, name)
        for use in done.assigns:
            self.assign(use.name, sure if use.certain else min(sure, POSSIBLE), at, name)
        self.merges += [Merge(None, (), False, at)] if done.merges else []
        self.opaque |= done.opaque

    def is_self(self, node: ast.AST) -> bool:
        """Whether an expression is `self`."""
        return isinstance(node, ast.Name) and node.id == self.receiver

    def is_input(self, node: ast.expr) -> bool:
        """Whether an expression is one of a join's inputs: `inputs.step`, `inputs[0]`, or an item of a loop."""
        if isinstance(node, ast.Name):
            return node.id in self.elements
        if isinstance(node, ast.Attribute) and node.attr not in self.surroundings.provided:
            return False  # not a step
        return isinstance(node, (ast.Attribute, ast.Subscript)) and self.is_inputs(node.value)

    def is_inputs(self, node: ast.AST) -> bool:
        """Whether an expression is a join's inputs."""
        return self.inputs is not None and isinstance(node, ast.Name) and node.id == self.inputs

    def hand_on(self, function: str, argument: ast.expr | None, sure: int, at: Span | None) -> None:
        """Note that `self` is handed to a function, with another argument, which may be the name of an attribute."""
        name = argument.value if isinstance(argument, ast.Constant) else None
        if function in ("getattr", "hasattr"):
            self.guarded.update({name} if isinstance(name, str) else ())
        elif function == "setattr" and isinstance(name, str):
            self.assign(name, sure, at)
        elif function not in HARMLESS:
            self.opaque = True

    def merge(self, node: ast.Call, sure: int) -> Merge:
        """A call of `merge_artifacts(inputs, exclude, include)`."""
        given: dict[str | None, ast.expr] = dict(zip(("inputs", "exclude", "include"), node.args, strict=False))
        given.update({keyword.arg: keyword.value for keyword in node.keywords})
        include, exclude = strings(given.get("include")), strings(given.get("exclude"))
        literal = (
            sure == CERTAIN
            and self.is_inputs(given.get("inputs") or node)
            and not (given.keys() - {"inputs", "exclude", "include"})
            and ("include" not in given or include is not None)
            and ("exclude" not in given or exclude is not None)
        )
        return Merge(include or None, exclude or (), literal, self.span(node))

    def note_elements(self, target: ast.expr, source: ast.expr) -> None:
        """Note the name that a loop gives each of the inputs."""
        if isinstance(source, ast.Call) and is_name(source.func, "enumerate") and isinstance(target, ast.Tuple):
            target = target.elts[-1]
            source = source.args[0] if source.args else source
        while isinstance(source, ast.Call) and is_name(source.func, *SEQUENCES) and source.args:
            source = source.args[0]
        if isinstance(target, ast.Name):
            (self.elements.add if self.is_inputs(source) else self.elements.discard)(target.id)

    def note_value(self, name: str, value: ast.expr) -> None:
        """Note a local name for one of the inputs, or that it is another thing now."""
        (self.elements.add if self.is_input(value) else self.elements.discard)(name)


LEAVES = (ast.Constant, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


def children(node: ast.AST, sure: int) -> Iterator[Part]:
    """The parts of a node, all as sure as it is itself; those with nothing in them are left out."""
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            yield from ((part, sure) for part in value if isinstance(part, ast.AST))
        elif isinstance(value, ast.AST) and not isinstance(value, LEAVES):
            yield value, sure


def strings(node: ast.expr | None) -> tuple[str, ...] | None:
    """The strings of a literal list; `None` if it is something else."""
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return None
    values = [part.value if isinstance(part, ast.Constant) else None for part in node.elts]
    return tuple(map(str, values)) if all(isinstance(value, str) for value in values) else None


def is_name(node: ast.AST | None, *names: str) -> bool:
    """Whether an expression is one of some names, or an attribute of that name."""
    return (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)
