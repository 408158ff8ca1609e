"""From the syntax tree of a method to what it does with artifacts.

The tree is walked in the order of execution, with a stack of its own: source may be nested deeper than Python's stack.
Where the source leaves a doubt, it is on the side of silence: nothing is reported that might be right.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterable, Iterator

import attrs

from flow_graph.artifacts import Artifacts, Merge, Use
from flow_graph.parsing import Method, receiver_of
from flow_graph.positions import Span, Text

CERTAIN, POSSIBLE, GUARDED = 2, 1, 0
"""How sure it is that a part is executed. What is guarded may fail: a missing artifact is caught there."""

Part = tuple[ast.AST, int]

HARMLESS = frozenset({"bool", "dir", "format", "hash", "id", "isinstance", "print", "repr", "str", "super", "type"})
"""What `self` can be handed to without a thought that it might be changed."""

SEQUENCES = frozenset({"iter", "list", "reversed", "sorted", "tuple"})
CATCHES = frozenset({"AttributeError", "BaseException", "Exception"})
SUPPRESSING = frozenset({"suppress", "raises"})


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


def scan_method(written: Written, surroundings: Surroundings) -> Artifacts:
    """What a method does with artifacts."""
    arguments = [argument.arg for argument in (*written.method.args.posonlyargs, *written.method.args.args)]
    if not arguments or any(is_name(mark, "staticmethod", "classmethod") for mark in written.method.decorator_list):
        return Artifacts()
    scan = Scan(written, surroundings, receiver_of(written.method), arguments[1] if len(arguments) > 1 else None)
    scan.run([(statement, CERTAIN) for statement in written.method.body])
    while scan.later:
        scan.run([scan.later.pop()])
    return scan.result()


def is_name(node: ast.AST | None, *names: str) -> bool:
    """Whether an expression is one of some names, or an attribute of that name."""
    return (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names)


def is_super(node: ast.AST) -> bool:
    """Whether an expression is `super()`."""
    return isinstance(node, ast.Call) and is_name(node.func, "super")


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


@attrs.define
class Scan:
    """What was seen so far of a method."""

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

    def run(self, parts: Iterable[Part]) -> None:
        """Walk parts and all that is in them, in the order of execution."""
        stack = list(parts)[::-1]
        while stack:
            node, sure = stack.pop()
            visit = VISITS.get(type(node))
            stack += list(visit(self, node, sure) if visit else children(node, sure))[::-1]

    def result(self) -> Artifacts:
        """All that was seen."""
        reads = tuple(use for name, use in self.reads.items() if name not in self.guarded)
        silent = (self.guarded, self.surroundings.provided)
        inputs = tuple(use for name, use in self.input_reads.items() if not any(name in names for names in silent))
        return Artifacts(reads, tuple(self.assigns.values()), inputs, tuple(self.merges), self.uses_inputs, self.opaque)

    # ---- what is noted

    def span(self, node: ast.AST) -> Span | None:
        """The place of an expression."""
        return self.written.text.span(node) if isinstance(node, ast.expr) else None

    def read(self, name: str, sure: int, at: Span | None, via: str = "") -> None:
        """Note that an artifact is read, if it is one, and was not assigned just before."""
        if sure == GUARDED or name in self.assigns or name.startswith("_") or name in self.surroundings.provided:
            return
        if name not in self.reads or (sure == CERTAIN > POSSIBLE and not self.reads[name].certain):
            self.reads[name] = Use(name, sure == CERTAIN, via, at)

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

    # ---- expressions

    def visit_attribute(self, node: ast.Attribute, sure: int) -> Iterator[Part]:
        """`self.name`, `inputs.name`, `inputs[0].name`, or something else."""
        if self.is_self(node.value):
            self.visit_own(node, sure)
            return
        if self.is_input(node.value) and isinstance(node.ctx, ast.Load):
            known = self.input_reads.get(node.attr)
            if (
                sure != GUARDED
                and not node.attr.startswith("_")
                and (known is None or (sure == CERTAIN and not known.certain))
            ):
                self.input_reads[node.attr] = Use(node.attr, sure == CERTAIN, "", self.span(node))
        yield node.value, sure

    def visit_own(self, node: ast.Attribute, sure: int) -> None:
        """`self.name`, read, assigned or deleted."""
        name, at = node.attr, self.span(node)
        if isinstance(node.ctx, ast.Store):
            self.assign(name, sure, at)
        elif name == "__dict__":
            self.opaque = True
        else:
            self.read(name, sure, at)
            self.follow(name, None, min(sure, POSSIBLE), at)

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

    def visit_name(self, node: ast.Name, sure: int) -> Iterator[Part]:
        """A bare `self`, which goes who knows where, or bare inputs."""
        if node.id == self.receiver:
            self.opaque = True
        elif node.id == self.inputs:
            self.uses_inputs = True
        return iter(())

    def visit_call(self, node: ast.Call, sure: int) -> Iterator[Part]:
        """A call, which may be one of a helper, of a merge, of a transition, or of what works on attributes by name."""
        function = node.func
        arguments: list[ast.expr] = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(function, ast.Attribute) and self.is_self(function.value):
            if function.attr == self.surroundings.transition:
                yield from self.visit_transition(node, sure)
                return
            yield from ((argument, sure) for argument in arguments)
            if function.attr == "merge_artifacts":
                self.merges.append(self.merge(node, sure))
            else:
                self.read(function.attr, sure, self.span(function))
                self.follow(function.attr, None, sure, self.span(function))
            return
        if isinstance(function, ast.Attribute) and is_super(function.value):
            self.follow(function.attr, self.written.layer, sure, self.span(function))
        elif isinstance(function, ast.Name) and node.args and self.is_self(node.args[0]):
            arguments = arguments[1:]
            self.hand_on(function.id, node.args[1] if len(node.args) > 1 else None, sure, self.span(node))
        else:
            self.opaque |= is_name(function, "exec", "eval")
            yield function, sure
        yield from ((argument, sure) for argument in arguments)

    def is_self(self, node: ast.AST) -> bool:
        """Whether an expression is `self`."""
        return isinstance(node, ast.Name) and node.id == self.receiver

    def hand_on(self, function: str, argument: ast.expr | None, sure: int, at: Span | None) -> None:
        """Note that `self` is handed to a function, with another argument, which may be the name of an attribute."""
        name = argument.value if isinstance(argument, ast.Constant) else None
        if function in ("getattr", "hasattr"):
            self.guarded.update({name} if isinstance(name, str) else ())
        elif function == "setattr" and isinstance(name, str):
            self.assign(name, sure, at)
        elif function not in HARMLESS:
            self.opaque = True

    def visit_transition(self, node: ast.Call, sure: int) -> Iterator[Part]:
        """A transition: it reads what it names, and its targets are no helpers."""
        for argument in node.args:
            if isinstance(argument, ast.Dict):
                yield from ((key, sure) for key in argument.keys if key is not None)
        for keyword in node.keywords:
            value = keyword.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                self.read(value.value, sure, self.span(value))
            yield value, sure

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

    def visit_choice(self, node: ast.BoolOp | ast.IfExp, sure: int) -> Iterator[Part]:
        """`a and b`, `a if b else c`: only what comes first is certain."""
        first, *others = node.values if isinstance(node, ast.BoolOp) else (node.test, node.body, node.orelse)
        yield first, sure
        yield from ((other, min(sure, POSSIBLE)) for other in others)

    def visit_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, sure: int
    ) -> Iterator[Part]:
        """A comprehension: only the first thing it goes over is certain."""
        for position, loop in enumerate(node.generators):
            yield loop.iter, min(sure, POSSIBLE) if position else sure
            self.note_elements(loop.target, loop.iter)
            yield from ((part, min(sure, POSSIBLE)) for part in (loop.target, *loop.ifs))
        results = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        yield from ((part, min(sure, POSSIBLE)) for part in results)

    def note_elements(self, target: ast.expr, source: ast.expr) -> None:
        """Note the name that a loop gives each of the inputs."""
        if isinstance(source, ast.Call) and is_name(source.func, "enumerate") and isinstance(target, ast.Tuple):
            target = target.elts[-1]
            source = source.args[0] if source.args else source
        while isinstance(source, ast.Call) and is_name(source.func, *SEQUENCES) and source.args:
            source = source.args[0]
        if isinstance(target, ast.Name):
            (self.elements.add if self.is_inputs(source) else self.elements.discard)(target.id)

    # ---- statements

    def visit_assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, sure: int) -> Iterator[Part]:
        """An assignment: the value comes first; `+=` reads its target, too. An annotation alone assigns nothing."""
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            yield ast.copy_location(ast.Attribute(node.target.value, node.target.attr, ast.Load()), node.target), sure
        if node.value is not None:
            yield node.value, sure
            if isinstance(node, ast.Assign):
                yield from ((target, sure) for target in node.targets)
                if isinstance(node.targets[0], ast.Name):
                    self.note_value(node.targets[0].id, node.value)
            else:
                yield node.target, sure

    def note_value(self, name: str, value: ast.expr) -> None:
        """Note a local name for one of the inputs, or that it is another thing now."""
        (self.elements.add if self.is_input(value) else self.elements.discard)(name)

    def visit_branch(self, node: ast.If | ast.While | ast.Match, sure: int) -> Iterator[Part]:
        """A branch: only what it depends on is certain."""
        first = node.subject if isinstance(node, ast.Match) else node.test
        yield first, sure
        yield from ((part, min(sure, POSSIBLE)) for part, _ in children(node, sure) if part is not first)

    def visit_assert(self, node: ast.Assert, sure: int) -> Iterator[Part]:
        """An assertion: its message is for the case that it fails."""
        yield node.test, sure
        yield from ((part, min(sure, POSSIBLE)) for part in [node.msg] if part is not None)

    def visit_for(self, node: ast.For | ast.AsyncFor, sure: int) -> Iterator[Part]:
        """A loop: only the thing it goes over is certain."""
        yield node.iter, sure
        self.note_elements(node.target, node.iter)
        yield from ((part, min(sure, POSSIBLE)) for part in (node.target, *node.body, *node.orelse))

    def visit_try(self, node: ast.Try, sure: int) -> Iterator[Part]:
        """A try: where a missing artifact is caught, reading it is all right."""
        catches = any(catches_missing(handler.type) for handler in node.handlers)
        inside = GUARDED if catches else min(sure, POSSIBLE) if node.handlers else sure
        yield from ((part, inside) for part in node.body)
        for part in (*node.handlers, *node.orelse):
            yield part, min(sure, POSSIBLE)
        yield from ((part, sure) for part in node.finalbody)

    def visit_with(self, node: ast.With | ast.AsyncWith, sure: int) -> Iterator[Part]:
        """A with: one that swallows errors is like a try."""
        for item in node.items:
            yield from children(item, sure)
        swallows = any(
            isinstance(item.context_expr, ast.Call) and is_name(item.context_expr.func, *SUPPRESSING)
            for item in node.items
        )
        yield from ((part, GUARDED if swallows else sure) for part in node.body)

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, sure: int) -> Iterator[Part]:
        """A function inside: its body is executed later, if at all, and may have a `self` of its own."""
        arguments = node.args
        yield from children(arguments, sure)
        if not isinstance(node, ast.Lambda):
            yield from ((mark, sure) for mark in node.decorator_list)
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if self.receiver not in {argument.arg for argument in every}:
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            self.later += [(part, min(sure, POSSIBLE)) for part in reversed(body)]

    def visit_class(self, node: ast.ClassDef, sure: int) -> Iterator[Part]:
        """A class inside."""
        return children(node, min(sure, POSSIBLE))


def catches_missing(caught: ast.expr | None) -> bool:
    """Whether an `except` of this catches the error of a missing attribute."""
    if isinstance(caught, ast.Tuple):
        return any(is_name(part, *CATCHES) for part in caught.elts)
    return caught is None or is_name(caught, *CATCHES)


VISITS: dict[type[ast.AST], Callable[..., Iterator[Part]]] = {
    ast.Attribute: Scan.visit_attribute,
    ast.Name: Scan.visit_name,
    ast.Call: Scan.visit_call,
    ast.BoolOp: Scan.visit_choice,
    ast.IfExp: Scan.visit_choice,
    ast.ListComp: Scan.visit_comprehension,
    ast.SetComp: Scan.visit_comprehension,
    ast.DictComp: Scan.visit_comprehension,
    ast.GeneratorExp: Scan.visit_comprehension,
    ast.Assign: Scan.visit_assign,
    ast.AnnAssign: Scan.visit_assign,
    ast.AugAssign: Scan.visit_assign,
    ast.If: Scan.visit_branch,
    ast.While: Scan.visit_branch,
    ast.Match: Scan.visit_branch,
    ast.Assert: Scan.visit_assert,
    ast.For: Scan.visit_for,
    ast.AsyncFor: Scan.visit_for,
    ast.Try: Scan.visit_try,
    ast.With: Scan.visit_with,
    ast.AsyncWith: Scan.visit_with,
    ast.FunctionDef: Scan.visit_function,
    ast.AsyncFunctionDef: Scan.visit_function,
    ast.Lambda: Scan.visit_function,
    ast.ClassDef: Scan.visit_class,
}
if hasattr(ast, "TryStar"):  # from Python 3.11
    VISITS[ast.TryStar] = Scan.visit_try
