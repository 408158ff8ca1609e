"""What steps do with artifacts: what is reported, as what, and where there is silence, as it might be right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flow_graph import FlowGraph, Merge, check

Read = Callable[[str], FlowGraph]


def method(name: str, body: str, following: str = "", arguments: str = "self", marks: str = "@step") -> str:
    lines = [*marks.splitlines(), f"def {name}({arguments}):", *(f"    {line}" for line in body.splitlines())]
    lines += [f"    self.next({following})"] if following else []
    return "".join(f"    {line}\n" for line in lines)


def linear(*bodies: str, attributes: str = "", marks: str = "@step") -> str:
    """A flow of steps one after the other: start, s1, s2, ..., end."""
    names = ["start", *(f"s{position}" for position in range(1, len(bodies) - 1)), "end"]
    following = [*(f"self.{name}" for name in names[1:]), ""]
    methods = [method(*parts, marks=marks) for parts in zip(names, bodies, following, strict=True)]
    return "class Flow(FlowSpec):\n" + "".join(f"    {line}\n" for line in attributes.splitlines()) + "".join(methods)


def split(start: str, a: str, b: str, join: str, end: str = "pass") -> str:
    """A flow that splits into a and b, and joins them."""
    return "class Flow(FlowSpec):\n" + "".join([
        method("start", start, "self.a, self.b"),
        method("a", a, "self.join"),
        method("b", b, "self.join"),
        method("join", join, "self.end", "self, inputs"),
        method("end", end),
    ])  # fmt: skip


def each(start: str, body: str, join: str, end: str = "pass") -> str:
    """A flow that goes over self.xs."""
    return "class Flow(FlowSpec):\n" + "".join([
        method("start", start, "self.body, foreach='xs'"),
        method("body", body, "self.join"),
        method("join", join, "self.end", "self, inputs"),
        method("end", end),
    ])  # fmt: skip


def switch(start: str, a: str, b: str, end: str) -> str:
    """A flow that chooses a or b."""
    return "class Flow(FlowSpec):\n" + "".join([
        method("start", start, "{1: self.a, 2: self.b}, condition='mode'"),
        method("a", a, "self.end"),
        method("b", b, "self.end"),
        method("end", end),
    ])  # fmt: skip


def reports(graph: FlowGraph) -> list[tuple[str, str, str | None]]:
    """The findings: severity, rule, step."""
    return [(finding.severity, finding.slug, finding.step) for finding in check(graph)]


# ---- reading what is not there


def test_an_artifact_that_is_assigned_nowhere(read: Read) -> None:
    graph = read(linear("self.model = 1", "print(self.mdoel)", "pass"))
    (finding,) = check(graph)
    assert (finding.code, finding.slug, finding.severity, finding.step) == (
        "FG072",
        "unassigned-artifact",
        "error",
        "s1",
    )
    assert (finding.line, finding.column) == (9, 15)
    assert finding.message == (
        "Step 's1' reads 'mdoel', but no step before it assigns that: the flow has no attribute 'mdoel' there."
    )
    assert finding.help == "Did you mean 'model'?"


def test_an_artifact_that_is_assigned_later_only(read: Read) -> None:
    assert reports(read(linear("print(self.x)", "self.x = 1", "pass"))) == [("error", "unassigned-artifact", "start")]
    assert reports(read(linear("print(self.x)\nself.x = 1", "pass"))) == [("error", "unassigned-artifact", "start")]


@pytest.mark.parametrize(
    "line", ["self.x += 1", "del self.x", "self.x.append(1)", "self.x[0] = 1", "self.x.y = 1", "self.x()"]
)
def test_what_else_is_reading(read: Read, line: str) -> None:
    assert reports(read(linear(line, "pass"))) == [("error", "unassigned-artifact", "start")]


@pytest.mark.parametrize(
    "body",
    [
        "if 1:\n    print(self.x)",
        "for i in range(3):\n    print(self.x)",
        "while print():\n    print(self.x)",
        "print() and self.x",
        "print(self.x if print() else 0)",
        "print([self.x for i in range(3)])",
        "print({i: self.x for i in range(3)})",
        "def inner():\n    return self.x\ninner()",
        "print(lambda: self.x)",
        "try:\n    print(self.x)\nexcept KeyError:\n    pass",
        "try:\n    pass\nfinally:\n    pass\nif 1:\n    self.x",
        "match 1:\n    case 1:\n        print(self.x)",
        "assert 1, self.x",
        "class Inner:\n    y = self.x",
    ],
)
def test_what_need_not_be_executed_is_a_warning(read: Read, body: str) -> None:
    assert reports(read(linear(body, "pass"))) == [("warning", "unassigned-artifact", "start")]


@pytest.mark.parametrize(
    "body",
    [
        "while self.x:\n    pass",
        "for i in self.x:\n    pass",
        "if self.x:\n    pass",
        "print([i for i in self.x])",
        "with self.x:\n    pass",
        "with open('f'):\n    print(self.x)",
        "match self.x:\n    case 1:\n        pass",
        "try:\n    print(self.x)\nfinally:\n    pass",
        "assert self.x",
        "print(f'{self.x:>{self.x}}')",
        "y = (z := self.x)",
        "def inner(a=self.x):\n    pass",
        "return_value = self.x if print() else self.x\nself.x",
    ],
)
def test_what_is_certainly_executed_is_an_error(read: Read, body: str) -> None:
    assert reports(read(linear(body, "pass"))) == [("error", "unassigned-artifact", "start")]


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    print(self.x)\nexcept AttributeError:\n    pass",
        "try:\n    print(self.x)\nexcept (KeyError, AttributeError):\n    pass",
        "try:\n    print(self.x)\nexcept Exception:\n    pass",
        "try:\n    print(self.x)\nexcept:\n    pass",
        "import contextlib\nwith contextlib.suppress(AttributeError):\n    print(self.x)",
        "if hasattr(self, 'x'):\n    print(self.x)",
        "print(getattr(self, 'x', 0))",
        "print(getattr(self, str(), 0))",
        "setattr(self, 'x', 1)\nprint(self.x)",
        "setattr(self, str(), 1)\nprint(self.x)",
        "self.__dict__['x'] = 1\nprint(self.x)",
        "vars(self).update(x=1)\nprint(self.x)",
        "exec('self.x = 1')\nprint(self.x)",
        "fill = print\nfill(self)\nprint(self.x)",
        "me = self\nme.x = 1\nprint(self.x)",
        "for self.x in range(3):\n    pass\nprint(self.x)",
        "with open('f') as self.x:\n    print(self.x)",
        "(self.x, self.y), *self.z = (1, 2), 3\nprint(self.x, self.y, self.z)",
        "self.x: int = 1\nprint(self.x)",
        "self.x = self.y = 1\nprint(self.x, self.y)",
        "for i in range(3):\n    if i:\n        print(self.x)\n    self.x = i",
        "def inner():\n    return self.x\nself.x = 1\ninner()",
        "class Other:\n    def __init__(self):\n        print(self.other)",
        "def inner(self):\n    return self.other",
        "print(self._private, self.__mangled)",
        "print(self.input, self.kind, self.__class__, self.next)",
        "print(isinstance(self, object), type(self), str(self), id(self))",
    ],
)
def test_what_may_be_right_is_not_reported(read: Read, body: str) -> None:
    assert reports(read(linear(body, "pass"))) == []


def test_an_annotation_assigns_nothing(read: Read) -> None:
    assert reports(read(linear("self.x: int\nprint(self.x)", "pass"))) == [("error", "unassigned-artifact", "start")]


def test_the_first_certain_place_is_reported_and_each_name_once(read: Read) -> None:
    (finding,) = check(read(linear("if 1:\n    print(self.x)\nprint(self.x)\nprint(self.x)", "pass")))
    assert (finding.severity, finding.line) == ("error", 7)


def test_artifacts_come_down_every_way(read: Read) -> None:
    assert reports(read(linear("self.x = 1", "pass", "pass", "print(self.x)"))) == []
    assert reports(read(switch("self.mode = 1", "self.x = 1", "pass", "print(self.x)"))) == []


def test_behind_a_step_that_may_assign_anything_all_is_silent(read: Read) -> None:
    assert reports(read(linear("setattr(self, input(), 1)", "pass", "print(self.x)"))) == []
    body = "setattr(self, input(), 1)"
    assert reports(read(split("pass", body, "pass", "self.merge_artifacts(inputs)", "print(self.x)"))) == []
    assert reports(read(split("pass", body, "pass", "list(inputs)", "print(self.x)"))) == [
        ("error", "lost-in-join", "end")
    ]


def test_class_level_values_are_no_artifacts(read: Read) -> None:
    attributes = "alpha = Parameter()\nSIZE = 3\n@property\ndef double(self):\n    return 2\nNames = list"
    assert (
        reports(read(linear("print(self.alpha, self.SIZE, self.double, self.Names)", "pass", attributes=attributes)))
        == []
    )


def test_what_the_constructor_sets_is_no_artifact(read: Read) -> None:
    attributes = "def __init__(self):\n    self.x = 1"
    assert reports(read(linear("print(self.x)", "pass", attributes=attributes))) == []


def test_a_class_that_answers_for_every_name_is_not_judged(read: Read) -> None:
    attributes = "def __getattr__(self, name):\n    return name"
    assert reports(read(linear("print(self.x)", "pass", attributes=attributes))) == []


def test_a_decorator_may_assign_so_errors_become_warnings(read: Read) -> None:
    marks = "@retry\n@step"
    assert reports(read(linear("print(self.x)", "pass", marks=marks))) == [("warning", "unassigned-artifact", "start")]


def test_a_variable_that_a_decorator_names_is_assigned(read: Read) -> None:
    assert reports(read(linear("pass", "print(self.failed)", marks="@mark(var='failed')\n@step"))) == []


# ---- helpers


def test_helpers_assign_and_read_for_their_step(read: Read) -> None:
    attributes = "def load(self):\n    self.x = 1\n\ndef show(self):\n    print(self.x, self.y)"
    graph = read(linear("self.load()", "self.show()", attributes=attributes))
    (finding,) = check(graph)
    assert (finding.slug, finding.severity, finding.step, finding.line) == ("unassigned-artifact", "error", "end", 14)
    assert "reads 'y' in its helper 'show'" in finding.message


def test_helpers_call_helpers_and_themselves(read: Read) -> None:
    attributes = "def a(self):\n    self.b()\n\ndef b(self):\n    self.x = 1\n    self.a()"
    assert reports(read(linear("self.a()", "print(self.x)", attributes=attributes))) == []


def test_helpers_may_be_properties_callbacks_and_inherited(read: Read) -> None:
    source = "class Mixin:\n    def fill(self, value):\n        self.x = value\n\n"
    body = linear("list(map(self.fill, [1]))", "print(self.x)").replace("Flow(FlowSpec)", "Flow(Mixin, FlowSpec)")
    assert reports(read(source + body)) == []
    attributes = "@property\ndef fill(self):\n    self.x = 1"
    assert reports(read(linear("self.fill", "print(self.x)", attributes=attributes))) == []


def test_a_step_may_call_the_one_that_it_overrides(read: Read) -> None:
    base = linear("self.x = 1", "pass").replace("class Flow(", "class Base(")
    body = method("start", "super().start()\nprint(self.x)", "self.end")
    assert reports(read(base + "class Flow(Base):\n" + body)) == []


def test_static_and_class_methods_have_no_self(read: Read) -> None:
    attributes = "@staticmethod\ndef one(other):\n    other.x = 1\n\n@classmethod\ndef two(cls):\n    cls.y = 1"
    graph = read(linear("self.one(1)\nself.two()", "print(self.x)", attributes=attributes))
    assert reports(graph) == [("error", "unassigned-artifact", "end")]


def test_a_helper_whose_source_is_unknown_may_assign_anything(read: Read) -> None:
    source = "exec('def fill(self): self.x = 1')\n" + linear("self.fill()", "print(self.x)", attributes="fill = fill")
    assert reports(read(source)) == []


# ---- foreach and switch


def test_a_foreach_over_what_is_assigned_nowhere(read: Read) -> None:
    graph = read(each("self.shards = [1]", "pass", "list(inputs)").replace("'xs'", "'shard'"))
    (finding,) = check(graph)
    assert (finding.code, finding.slug, finding.severity) == ("FG070", "unassigned-foreach", "error")
    assert (finding.line, finding.column) == (6, 38)  # the name in foreach='shard'
    assert finding.message.startswith("Step 'start' is a foreach over 'shard', but no step before it assigns that")
    assert finding.help == "Did you mean 'shards'?"


@pytest.mark.parametrize("attributes", ["xs = [1, 2]", "xs = Parameter()", "@property\ndef xs(self):\n    return [1]"])
def test_a_foreach_over_a_class_level_value(read: Read, attributes: str) -> None:
    source = each("pass", "pass", "list(inputs)")
    indented = "".join(f"    {line}\n" for line in attributes.splitlines())
    assert reports(read(source.replace("(FlowSpec):\n", f"(FlowSpec):\n{indented}"))) == []


def test_a_foreach_over_its_own_item(read: Read) -> None:
    assert reports(read(each("pass", "pass", "list(inputs)").replace("'xs'", "'input'"))) == []


def test_a_switch_on_what_is_assigned_nowhere(read: Read) -> None:
    assert reports(read(switch("pass", "pass", "pass", "pass"))) == [("error", "unassigned-condition", "start")]
    assert reports(read(switch("self.mode = 1", "pass", "pass", "pass"))) == []


def test_a_switch_on_configuration_values(read: Read) -> None:
    source = switch("self.mode = 1", "pass", "pass", "pass").replace("{1:", "{self.config.one:")
    assert reports(read(source)) == [("error", "unassigned-artifact", "start")]
    assert reports(read(source.replace("(FlowSpec):\n", "(FlowSpec):\n    config = Parameter()\n"))) == []


def test_a_recursive_switch_has_what_it_assigned_the_round_before(read: Read) -> None:
    body = "if print():\n    print(self.count)\nself.count = 1\nself.mode = 1"
    source = switch(body, "pass", "pass", "pass").replace("{1: self.a", "{3: self.start, 1: self.a")
    assert reports(read(source)) == []


# ---- constants


@pytest.mark.parametrize(
    "line", ["self.alpha = 1", "self.alpha += 1", "self.beta, self.alpha = 1, 2", "setattr(self, 'alpha', 1)"]
)
@pytest.mark.parametrize("attributes", ["alpha = Parameter()", "alpha = 3"])
def test_a_constant_is_not_assigned(read: Read, line: str, attributes: str) -> None:
    (finding,) = check(read(linear(line, "pass", attributes=attributes)))
    assert (finding.code, finding.slug, finding.severity) == ("FG073", "constant-assigned", "error")
    assert finding.message == (
        "Step 'start' assigns 'alpha', which cannot be changed: parameters and class-level values are not modifiable."
    )


def test_a_constant_assigned_in_a_branch_is_a_warning(read: Read) -> None:
    source = linear("if print():\n    self.alpha = 1", "pass", attributes="alpha = Parameter()")
    assert reports(read(source)) == [("warning", "constant-assigned", "start")]


def test_a_constant_assigned_on_trial_is_no_slip(read: Read) -> None:
    body = "try:\n    self.alpha = 1\nexcept AttributeError:\n    pass"
    assert reports(read(linear(body, "pass", attributes="alpha = Parameter()"))) == []


@pytest.mark.parametrize(
    "attributes",
    [
        "_alpha = 3",
        "@property\ndef alpha(self):\n    return 1\n@alpha.setter\ndef alpha(self, value):\n    pass",
        "alpha = list",
    ],
)
def test_what_is_no_constant(read: Read, attributes: str) -> None:
    assert reports(read(linear("self.alpha = self._alpha = 1", "pass", attributes=attributes))) == []


def test_constants_may_be_read_and_changed_inside(read: Read) -> None:
    source = linear("self.alpha.append(self.alpha[0])\nself.alpha[0] = 1", "pass", attributes="alpha = [1]")
    assert reports(read(source)) == []


def test_the_graph_knows_its_constants(read: Read) -> None:
    graph = read(linear("pass", "pass", attributes="alpha = Parameter()\nSIZE = 3\n_hidden = 1"))
    assert graph.constants == ("alpha", "SIZE")


# ---- joins


def test_a_join_that_does_not_use_its_inputs(read: Read) -> None:
    (finding,) = check(read(split("pass", "pass", "pass", "print(1)")))
    assert (finding.code, finding.slug, finding.severity, finding.step) == ("FG074", "unused-inputs", "warning", "join")


@pytest.mark.parametrize(
    "join", ["list(inputs)", "inputs.a", "inputs[0]", "self.merge_artifacts(inputs)", "print(lambda: inputs)"]
)
def test_ways_to_use_the_inputs(read: Read, join: str) -> None:
    assert reports(read(split("pass", "pass", "pass", join))) == []


def test_behind_a_join_is_only_what_it_carries_over(read: Read) -> None:
    (finding,) = check(read(split("self.x = 1", "pass", "pass", "list(inputs)", "print(self.x)")))
    assert (finding.code, finding.slug, finding.severity, finding.step) == ("FG075", "lost-in-join", "error", "end")
    assert finding.message == (
        "Step 'end' reads 'x', which join 'join' does not carry over: behind a join is only what it takes over."
    )
    assert finding.help.startswith("Write in 'join': self.x = inputs[0].x")


@pytest.mark.parametrize(
    "join",
    [
        "self.x = inputs[0].x",
        "self.merge_artifacts(inputs)",
        "self.merge_artifacts(inputs, include=['x'])",
        "self.merge_artifacts(inputs, exclude=['y'])",
        "self.merge_artifacts(inputs, ['y'])",
        "self.merge_artifacts([inputs[0], inputs[1]])",
        "names = ['x']\nself.merge_artifacts(inputs, include=names)",
        "if 1:\n    self.merge_artifacts(inputs)",
    ],
)
def test_ways_to_carry_over(read: Read, join: str) -> None:
    assert reports(read(split("self.x = 1", "pass", "pass", join, "print(self.x)"))) == []


@pytest.mark.parametrize(
    "join", ["self.merge_artifacts(inputs, exclude=['x'])", "self.merge_artifacts(inputs, include=['y'])"]
)
def test_what_a_merge_leaves_out(read: Read, join: str) -> None:
    source = split("self.x = self.y = 1", "pass", "pass", join, "print(self.x)")
    assert reports(read(source)) == [("error", "lost-in-join", "end")]


def test_a_join_reads_itself_only_what_it_has_merged(read: Read) -> None:
    assert reports(read(split("self.x = 1", "pass", "pass", "list(inputs)\nprint(self.x)"))) == [
        ("error", "lost-in-join", "join")
    ]
    assert reports(read(split("self.x = 1", "pass", "pass", "self.merge_artifacts(inputs)\nprint(self.x)"))) == []


def test_an_artifact_of_several_arms_that_is_not_merged(read: Read) -> None:
    (finding,) = check(read(split("pass", "self.x = 1", "self.x = 2", "list(inputs)", "print(self.x)")))
    assert (finding.code, finding.slug, finding.severity) == ("FG076", "ambiguous-merge", "error")
    assert finding.message == (
        "Step 'end' reads 'x', which is assigned in several arms (in 'a', 'b'), and join 'join' does not choose one."
    )
    assert finding.help == (
        "Write in 'join': self.x = [i.x for i in inputs] for all of them, or self.x = inputs[0].x for one."
    )


def test_an_artifact_of_one_arm_that_is_not_merged(read: Read) -> None:
    assert reports(read(split("pass", "self.x = 1", "pass", "list(inputs)", "print(self.x)"))) == [
        ("error", "lost-in-join", "end")
    ]


def test_every_task_of_a_foreach_is_an_arm(read: Read) -> None:
    assert reports(read(each("self.xs = [1]", "self.y = 1", "list(inputs)", "print(self.y)"))) == [
        ("error", "ambiguous-merge", "end")
    ]
    assert reports(read(each("self.xs = [1]", "self.y = 1", "self.y = [i.y for i in inputs]", "print(self.y)"))) == []


def test_a_merge_of_what_several_arms_assign(read: Read) -> None:
    (finding,) = check(read(split("pass", "self.x = self.z = 1", "self.x = 2", "self.merge_artifacts(inputs)")))
    assert (finding.code, finding.slug, finding.severity) == ("FG077", "conflicting-merge", "warning")
    assert "'x', which several arms of 'start' assign" in finding.message
    assert "exclude=['x']" in finding.help
    (finding,) = check(read(each("self.xs = [1]", "self.y = 1", "self.merge_artifacts(inputs)")))
    assert "all tasks of 'body' assign" in finding.message


@pytest.mark.parametrize(
    "join",
    [
        "self.x = inputs.a.x\nself.merge_artifacts(inputs)",
        "self.merge_artifacts(inputs, exclude=['x'])",
        "self.merge_artifacts(inputs, include=['y'])",
        "names = ['x']\nself.merge_artifacts(inputs, exclude=names)",
        "self.merge_artifacts(sorted(inputs))",
        "if print():\n    self.merge_artifacts(inputs)",
    ],
)
def test_merges_without_a_certain_conflict(read: Read, join: str) -> None:
    assert reports(read(split("self.y = 1", "self.x = 1", "self.x = 2", join))) == []


def test_what_an_inner_join_merges_is_changed_in_the_outer_arm(read: Read) -> None:
    def nested(inner_join: str) -> str:
        return "class Flow(FlowSpec):\n" + "".join([
            method("start", "pass", "self.a, self.b"),
            method("a", "pass", "self.c, self.d"),
            method("c", "self.x = 1", "self.inner"),
            method("d", "pass", "self.inner"),
            method("inner", inner_join, "self.outer", "self, inputs"),
            method("b", "self.x = 2", "self.outer"),
            method("outer", "self.merge_artifacts(inputs)", "self.end", "self, inputs"),
            method("end", "pass"),
        ])  # fmt: skip

    assert reports(read(nested("self.merge_artifacts(inputs)"))) == [("warning", "conflicting-merge", "outer")]
    assert reports(read(nested("list(inputs)"))) == []


# ---- reading inputs


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("inputs[0].typo", "error"),
        ("inputs.a.typo", "error"),
        ("[i.typo for i in inputs]", "warning"),
        ("for i in inputs:\n    print(i.typo)", "warning"),
        ("for n, i in enumerate(inputs):\n    print(i.typo)", "warning"),
        ("print([i.typo for i in list(inputs)])", "warning"),
        ("first = inputs[0]\nprint(first.typo)", "error"),
    ],
)
def test_what_a_join_reads_of_its_inputs(read: Read, body: str, severity: str) -> None:
    (finding,) = check(read(split("self.y = 1", "self.x = 1", "self.x = 2", body)))
    assert (finding.slug, finding.severity, finding.step) == ("unassigned-artifact", severity, "join")
    assert "reads 'typo' of its inputs" in finding.message


@pytest.mark.parametrize(
    "body",
    [
        "print([i.x for i in inputs], inputs.a.x, inputs.b.y, inputs[0].kind)",
        "print(inputs.flows.anything)",
        "first = inputs[0]\nfirst = 'a text'\nprint(first.upper())",
        "list(inputs)\nfor i in [1]:\n    print(i.real)",
        "list(inputs)\ntry:\n    print(inputs[0].maybe)\nexcept AttributeError:\n    pass",
        "print(inputs[0]._private)",
    ],
)
def test_what_a_join_may_read_of_its_inputs(read: Read, body: str) -> None:
    assert reports(read(split("self.y = 1", "self.x = 1", "self.x = 2", body))) == []


# ---- what is kept with the graph


def test_a_node_says_what_its_step_does(read: Read) -> None:
    graph = read(split("self.x = 1", "self.x += 1", "self.y = self.x", "self.merge_artifacts(inputs, include=['y'])"))
    artifacts = graph["a"].artifacts
    assert artifacts is not None
    assert [use.name for use in artifacts.reads] == ["x"]
    assert [use.name for use in artifacts.assigns] == ["x"]
    assert not artifacts.uses_inputs
    join = graph["join"].artifacts
    assert join is not None
    assert join.uses_inputs
    assert join.merges == (Merge(("y",), (), True),)


def test_a_graph_built_in_code_says_nothing_of_artifacts(read: Read) -> None:
    graph = read(each("pass", "pass", "pass"))
    assert reports(graph) != []
    known = FlowGraph(graph.name, [node.evolve(artifacts=None) for node in graph])
    assert reports(known) == []


def test_findings_survive_json(read: Read) -> None:
    graph = read(split("self.x = 1", "self.x = 2", "self.x = self.z", "print(1)", "print(self.x)"))
    again = FlowGraph.from_json(graph.to_json())
    assert check(again) == check(graph) != []


def test_source_nested_deeper_than_pythons_stack(read: Read) -> None:
    chain = " + ".join(["self.x"] * 800)
    branches = "if 1:\n    pass\n" + "elif self.x:\n    pass\n" * 300
    assert reports(read(linear(f"self.x = 1\nprint({chain})\n{branches}", "pass"))) == []
