"""From the class of a flow to its graph. Nothing of it is executed, and each file is parsed once."""

from __future__ import annotations

import ast
import re

import attrs

from flow_graph.artifacts import Artifacts, Use
from flow_graph.attributes import Attributes, inspect_class
from flow_graph.errors import SourceUnavailable
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph
from flow_graph.methods.notes import Surroundings, Written
from flow_graph.methods.scanning import scan_method
from flow_graph.nodes import Invalid, Node
from flow_graph.parsing import Method, find_mark, first_doc_line, parse_step
from flow_graph.positions import Span, Text
from flow_graph.sources import find_class, find_file, read_source, statements


def read(cls: type, step: str, transition: str) -> FlowGraph:
    """The graph of a class: see `flow_graph.read_class`."""
    source = Source(step, inspect_class(cls, transition))
    for base in reversed(cls.__mro__[:-1]):
        source.add(base, required=base is cls)
    return FlowGraph(
        cls.__name__,
        Scanner(source, transition).nodes(),
        doc=source.own_doc,
        file=source.own_file,
        at=source.own_at,
        constants=source.attributes.constants,
        findings=source.findings,
    )


@attrs.frozen
class Parsed:
    """A file that was read."""

    tree: ast.Module
    text: Text


@attrs.define
class Source:
    """What was read so far, from the bases down to the class itself.

    `layers` has the methods that each class defines, `methods` those that the class has in the end.
    """

    step: str
    attributes: Attributes
    nodes: dict[str, Node] = attrs.field(factory=dict)
    methods: dict[str, Written] = attrs.field(factory=dict)
    layers: list[dict[str, Written]] = attrs.field(factory=list)
    findings: list[Finding] = attrs.field(factory=list)
    files: dict[str, Parsed | None] = attrs.field(factory=dict)
    own_file: str | None = None
    own_doc: str = ""
    own_at: Span | None = None

    def add(self, cls: type, *, required: bool) -> None:
        """Read the steps of one class; if it is not `required`, one without source has none."""
        file = find_file(cls)
        parsed = self.parse(cls, file, required=required) if file is not None else None
        definition = find_class(parsed.tree, cls) if parsed else None
        if parsed and definition:
            self.add_methods(definition, str(file), parsed.text)
            self.own_file, self.own_doc, self.own_at = (
                file,
                first_doc_line(definition),
                parsed.text.name_span(definition),
            )
        elif required:
            reason = "the file holds no class of this name" if file else "it was not defined in a file"
            raise SourceUnavailable(cls.__qualname__, file, reason)
        elif self.attributes.is_flow(cls) and self.attributes.functions(cls):
            self.findings.append(unreadable_base(cls, file))

    def parse(self, cls: type, file: str, *, required: bool) -> Parsed | None:
        """A file, `None` if it cannot be read, or holds neither steps nor a class of the flow's own."""
        wanted = self.attributes.is_flow(cls)
        if self.files.get(file) or (file in self.files and not wanted):
            return self.files[file]
        try:
            source = read_source(file, cls)
            # The framework's own files are long and hold no steps: do not parse them.
            wanted = wanted or re.search(rf"@[ \w.]*\b{self.step}\b", source) is not None
            parsed = Parsed(ast.parse(source, file), Text.of(source)) if wanted else None
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if required:
                reason = str(error) or "it is nested too deeply"
                raise SourceUnavailable(cls.__qualname__, file, reason, getattr(error, "lineno", None)) from error
            parsed = None
        self.files[file] = parsed
        return parsed

    def add_methods(self, definition: ast.ClassDef, file: str, text: Text) -> None:
        """Add the steps and other methods of a class; whatever it defines hides what was inherited."""
        layer: dict[str, Written] = {}
        for statement in statements(definition.body):
            if isinstance(statement, Method):
                self.hide(statement.name)
                mark = find_mark(statement, self.step)
                if mark is not None:
                    # Two in the branches of an `if` are a choice, two in a row a slip.
                    if statement.name in layer and statement in definition.body:
                        self.findings.append(defined_twice(statement, layer[statement.name].method, file, text))
                    self.nodes[statement.name] = parse_step(statement, mark, file, text, self.attributes.transition)
                layer[statement.name] = self.methods[statement.name] = Written(statement, text, len(self.layers))
            else:
                for name in assigned_names(statement):
                    self.hide(name)
                    if is_marked(statement, self.step):
                        self.nodes[name] = no_method(name, statement, file, text)
        self.layers.append(layer)

    def hide(self, name: str) -> None:
        """Forget what was inherited under a name."""
        self.nodes.pop(name, None)
        self.methods.pop(name, None)


@attrs.define
class Scanner:
    """Finds out what each step does with artifacts; each method is scanned once, however many call it."""

    source: Source
    transition: str
    done: dict[tuple[str, int], Artifacts | None] = attrs.field(factory=dict)

    def nodes(self) -> list[Node]:
        """The steps, with what they do with artifacts."""
        attributes = self.source.attributes
        provided = attributes.names | self.set_by_init(attributes.names)
        unknown = attributes.functions_of_flow - {name for layer in self.source.layers for name in layer}
        around = Surroundings(self.transition, provided, unknown, lambda name, layer: self.follow(name, layer, around))
        methods, nodes = self.source.methods, self.source.nodes
        artifacts = {name: scan_step(methods[name], around) for name in nodes if name in methods}
        if attributes.dynamic:
            artifacts = {name: attrs.evolve(value, opaque=True) for name, value in artifacts.items()}
        return [node.evolve(artifacts=artifacts.get(name)) for name, node in nodes.items()]

    def set_by_init(self, names: frozenset[str]) -> frozenset[str]:
        """The attributes that the constructor sets."""
        constructor = self.source.methods.get("__init__")
        if constructor is None:
            return frozenset()
        around = Surroundings(self.transition, names, (), lambda name, layer: None)
        return frozenset(use.name for use in scan_method(constructor, around).assigns)

    def follow(self, name: str, layer: int | None, around: Surroundings) -> Artifacts | None:
        """What a helper does; `None` if it is the framework's, or is being scanned: a method that calls itself."""
        if layer is None:
            written = self.source.methods.get(name)
        else:
            written = next((below[name] for below in reversed(self.source.layers[:layer]) if name in below), None)
        if written is None:
            return None
        key = (name, written.layer)
        if key not in self.done:
            self.done[key] = None
            self.done[key] = scan_method(written, around)
        return self.done[key]


def scan_step(written: Written, around: Surroundings) -> Artifacts:
    """What a step does with artifacts; a decorator that names a variable, `@catch(var="failed")`, assigns it."""
    artifacts = scan_method(written, around)
    variables = tuple(
        Use(keyword.value.value, False, "@")
        for mark in written.method.decorator_list
        if isinstance(mark, ast.Call)
        for keyword in mark.keywords
        if keyword.arg == "var" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    )
    return attrs.evolve(artifacts, assigns=artifacts.assigns + variables)


# ---- what the reader notices by itself


def defined_twice(method: Method, earlier: Method, file: str, text: Text) -> Finding:
    """The warning that a step hides another of the same class."""
    return Finding(
        "duplicate-step",
        f"Step {method.name!r} is defined twice; the one on line {earlier.lineno} is never used.",
        "Rename or remove one of them.",
        method.name,
        file,
        text.name_span(method),
        "warning",
    )


def unreadable_base(cls: type, file: str | None) -> Finding:
    """The warning that a base class may have steps that are not seen."""
    return Finding(
        "unreadable-base",
        f"The source of the base class {cls.__qualname__!r} cannot be read, so steps that it defines are not seen.",
        "Define it in a file.",
        file=file,
        severity="warning",
    )


def is_marked(statement: ast.stmt, step: str) -> bool:
    """Whether an assignment makes a step of something: `start = step(lambda self: ...)`."""
    match statement:
        case ast.Assign(value=ast.Call(ast.Name(name) | ast.Attribute(attr=name))):
            return name == step
    return False


def no_method(name: str, statement: ast.stmt, file: str, text: Text) -> Node:
    """What stands for a step that is not written as a method."""
    transition = Invalid(
        "not-a-method",
        f"Step {name!r} is not written as a method, so its transition cannot be read.",
        f"Write it as a method of the class: @step, def {name}(self): ...",
    )
    at = text.span(statement)
    return Node(name, transition, file=file, at=at, transition_at=at)


def assigned_names(statement: ast.stmt) -> list[str]:
    """The names that an assignment in a class body binds."""
    match statement:
        case ast.Assign(targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(ast.Name(name), value=ast.expr()) | ast.ClassDef(name):
            return [name]
    return []
