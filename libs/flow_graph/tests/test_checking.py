"""Every rule, by a flow that breaks it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flow_graph import (
    RULES,
    End,
    FlowGraph,
    GraphBuilder,
    GraphError,
    InvalidArgument,
    Join,
    Linear,
    Node,
    Split,
    Switch,
    Traversal,
    check,
)

ON_REQUEST = ("nested-foreach", "gang")

Read = Callable[[str], FlowGraph]


def flow(*extra: str, **steps: str) -> str:
    """A flow's source; each step is `mark|mark|arguments of self.next`.

    Marks: `inputs` makes it a join, `key=True` goes to `@step`, `@name` is a decorator; what comes last is empty for no
    transition. A body makes the flow sound as far as artifacts go.
    """
    lines = ["class Flow(FlowSpec):", *(f"    {line}" for line in extra)]
    for name, text in steps.items():
        *marks, way = text.split("|")
        flags = [mark for mark in marks if "=" in mark]
        lines += [f"    {mark}" for mark in marks if mark.startswith("@")]
        lines += [f"    @step({', '.join(flags)})", f"    def {name}({', '.join(arguments(marks))}):"]
        lines += ["        inputs[0]"] if "inputs" in marks else []
        lines += ["        self.xs = self.c = [1, 2]"] if arguments(marks) and way else []
        lines += [f"        self.next({way})" if way else "        pass"]
    return "\n".join(lines)


def arguments(marks: list[str]) -> list[str]:
    return [] if "nothing" in marks else ["self", *(mark for mark in marks if mark in ("inputs", "third"))]


SPLIT = {"start": "self.a, self.b", "a": "self.j", "b": "self.j", "j": "inputs|self.end", "end": ""}
EACH = {"start": "self.a, foreach='xs'", "a": "self.j", "j": "inputs|self.end", "end": ""}
GANG = {"start": "self.a, num_parallel=4", "a": "@parallel|self.j", "j": "inputs|self.end", "end": ""}
SWITCH = {"start": "{1: self.a, 2: self.b}, condition='c'", "a": "self.end", "b": "self.end", "end": ""}
PLAIN = {"start": "self.a", "a": "self.end", "end": ""}

JOIN = "inputs[0]\n        self.xs = self.c = [1, 2]"

BROKEN = {
    "reserved-name": flow(start="self.next", next="self.end", end=""),
    "invalid-name": flow(start="self.Big", Big="self.end", end=""),
    "duplicate-step": flow(start="self.end", end="") + "\n    @step\n    def end(self): pass\n",
    "missing-self": flow(**{**PLAIN, "end": "nothing|"}),
    "too-many-arguments": flow(**{**SPLIT, "j": "inputs|third|self.end"}),
    "async-step": flow(**PLAIN).replace("def a(", "async def a("),
    "not-a-method": flow("a = step(lambda self: self.next(self.end))", start="self.a", end=""),
    "unreadable-base": "exec('class B(FlowSpec):\\n    def f(self): pass')\n" + flow(**PLAIN).replace("FlowSpec", "B"),
    "no-start": flow(begin="self.end", end=""),
    "several-starts": flow(one="start=True|self.two", two="start=True|self.end", end=""),
    "ambiguous-start": flow(first="start=True|self.start", start="self.end", end=""),
    "start-has-incoming": flow(start="{1: self.a, 2: self.b}, condition='c'", a="self.end", b="self.start", end=""),
    "no-end": flow(start="self.last", last=""),
    "several-ends": flow(start="{1: self.one, 2: self.two}, condition='c'", one="end=True|", two="end=True|"),
    "ambiguous-end": flow(start="self.end", end="self.last", last="end=True|"),
    "end-has-transition": flow(start="self.a", a="self.end", end="self.a"),
    "end-takes-inputs": flow(**{**SPLIT, "a": "self.end", "b": "self.end", "end": "inputs|"}),
    "missing-transition": flow(**{**PLAIN, "a": ""}),
    "invalid-transition": flow(**{**PLAIN, "start": "self.a, 3"}),
    "unknown-step": flow(**{**PLAIN, "a": "self.ende"}),
    "duplicate-target": flow(**{**SPLIT, "start": "self.a, self.b, self.a"}),
    "wide-split": flow(
        start=", ".join(f"self.s{number}" for number in range(17)),
        **{f"s{number}": "self.j" for number in range(17)},
        j="inputs|self.end",
        end="",
    ),
    "switch-without-condition": flow(**{**SWITCH, "start": "{1: self.a, 2: self.b}"}),
    "switch-without-cases": flow(**{**PLAIN, "a": "{}, condition='c'"}),
    "switch-one-target": flow(**{**SWITCH, "start": "{1: self.a, 2: self.a}, condition='c'", "a": "self.b"}),
    "switch-duplicate-key": flow(**{**SWITCH, "start": "{1: self.a, True: self.b}, condition='c'"}),
    "cycle": flow(start="self.a", a="{1: self.b, 2: self.end}, condition='c'", b="self.a", end=""),
    "unreachable": flow(**PLAIN, b="self.end"),
    "unmarked-gang": flow(**{**GANG, "a": "self.j"}),
    "gang-without-join": flow(**{**GANG, "a": "@parallel|self.b"}, b="self.j"),
    "gang-without-number": flow(**{**GANG, "start": "self.a, foreach='xs'"}),
    "gang": flow(**GANG),
    "join-splits": flow(**{**SPLIT, "j": "inputs|self.c, self.d"}, c="self.k", d="self.k", k="inputs|self.end"),
    "empty-split": flow(**{**SPLIT, "start": "self.a, self.b, self.j"}),
    "empty-foreach": flow(**{**EACH, "start": "self.j, foreach='xs'", "a": "self.j"}),
    "ambiguous-join": flow(**{**EACH, "a": "{1: self.j, 2: self.b}, condition='c'"}, b="self.j"),
    "split-not-joined": flow(**{**EACH, "a": "self.end"}),
    "missing-arms": flow(**{**SPLIT, "b": "self.end"}),
    "join-without-split": flow(**{**PLAIN, "a": "inputs|self.end"}),
    "mixed-join": flow(**{**SPLIT, "a": "self.c, self.d"}, c="self.j", d="self.j"),
    "merged-arms": flow(**{**SPLIT, "j": "self.end"}),
    "several-joins": flow(
        **{**SPLIT, "a": "{1: self.d, 2: self.e}, condition='c'", "b": "{1: self.f, 2: self.g}, condition='c'"},
        d="self.j", e="self.k", f="self.j", g="self.k", k="inputs|self.end",
    ),
    "nested-foreach": flow(**{**EACH, "a": "self.b, foreach='xs'"}, b="self.k", k="inputs|self.j"),
    "unassigned-foreach": flow(**EACH).replace("self.xs = ", "self.zs = "),
    "unassigned-condition": flow(**SWITCH).replace("self.c = ", "self.d = "),
    "unassigned-artifact": flow(**PLAIN).replace("self.xs = ", "print(self.ys); self.xs = "),
    "constant-assigned": flow("xs = Parameter()", **PLAIN),
    "unused-inputs": flow(**SPLIT).replace("inputs[0]", "pass"),
    "lost-in-join": flow(**SPLIT).replace("self.xs = ", "self.ys = 1; ", 1).replace("    pass", "    self.ys"),
    "ambiguous-merge": flow(**SPLIT).replace(JOIN, "inputs[0]").replace("    pass", "    self.xs"),
    "conflicting-merge": flow(**SPLIT).replace(JOIN, "self.merge_artifacts(inputs)"),
}  # fmt: skip

# Mistakes that cannot be made without another one.
WITH = {
    "several-starts": {"start-has-incoming"},
    "several-ends": {"missing-transition"},
    "ambiguous-start": set(),
    "ambiguous-end": {"missing-transition"},
    "too-many-arguments": set(),
    "end-has-transition": {"cycle"},
    "end-takes-inputs": {"unreachable"},
    "start-has-incoming": {"cycle"},
    "join-without-split": set(),
    "switch-without-cases": {"unreachable"},
    "empty-split": {"missing-arms"},
    "empty-foreach": {"unreachable", "join-without-split"},
    "ambiguous-join": set(),
    "mixed-join": {"split-not-joined", "missing-arms"},
    "split-not-joined": {"unreachable"},
    "missing-arms": {"merged-arms", "split-not-joined"},
    "merged-arms": {"split-not-joined"},
    "several-joins": {"merged-arms"},
    "wide-split": set(),
}


@pytest.mark.parametrize("slug", RULES)
def test_every_rule_is_reported(read: Read, slug: str) -> None:
    graph = read(BROKEN[slug])
    found = check(graph, also=[slug] if slug in ON_REQUEST else [])
    assert slug in {finding.slug for finding in found}
    assert {finding.slug for finding in found} <= {slug} | WITH.get(slug, set())
    for finding in found:
        assert finding.message.endswith((".", "differ.", ":"))
        assert finding.help
        assert finding.code == RULES[finding.slug].code
        assert finding.severity == RULES[finding.slug].severity or slug == "duplicate-step"
        assert finding.file
        assert finding.line or finding.slug == "unreadable-base"


@pytest.mark.parametrize("steps", [SPLIT, EACH, GANG, SWITCH, PLAIN], ids=["split", "each", "gang", "switch", "plain"])
def test_the_flows_that_these_are_made_of_are_sound(read: Read, steps: dict[str, str]) -> None:
    assert check(read(flow(**steps))) == []


def test_codes_are_stable_and_in_order() -> None:
    assert len({rule.code for rule in RULES.values()}) == len(RULES)
    assert [rule.code for rule in RULES.values()] == sorted(rule.code for rule in RULES.values())
    assert all(slug == rule.slug for slug, rule in RULES.items())
    assert {rule.slug for rule in RULES.values() if not rule.structural} == {
        s for s, r in RULES.items() if r.code >= "FG070"
    }
    # A sample that programs outside may have written down.
    assert RULES["invalid-name"].code == "FG002"
    assert RULES["unknown-step"].code == "FG022"
    assert RULES["cycle"].code == "FG030"
    assert RULES["conflicting-merge"].code == "FG077"


def test_the_documentation_lists_every_rule() -> None:
    document = Path(__file__).parents[1] / "RULES.md"
    rows = [line for line in document.read_text().splitlines() if line.startswith("| FG")]
    assert rows == [f"| {rule.code} | `{rule.slug}` | {rule.severity} | {rule.meaning} |" for rule in RULES.values()]


# ---- all at once


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_source(read: Read) -> None:
    graph = read(
        flow("alpha = Parameter()", start="self.Big", Big="self.ende, foreach=3", end="").replace("xs", "alpha")
    )
    found = check(graph)
    assert [finding.slug for finding in found] == [
        "constant-assigned", "invalid-name", "constant-assigned", "unknown-step", "invalid-transition",
    ]  # fmt: skip
    assert [finding.line for finding in found] == sorted(finding.line or 0 for finding in found)


def test_one_mistake_is_not_reported_as_many(read: Read) -> None:
    for slug in ("unknown-step", "missing-transition", "invalid-transition", "switch-without-condition"):
        assert [finding.slug for finding in check(read(BROKEN[slug]))] == [slug]


def test_names_are_guessed(read: Read) -> None:
    (finding,) = check(read(BROKEN["unknown-step"]))
    assert finding.help == "Did you mean 'end'?"
    (finding,) = check(read(flow(**{**PLAIN, "a": "self.elsewhere"})))
    assert finding.help == "Define a step 'elsewhere', or correct the name."


def test_what_only_some_schedulers_cannot_run_is_reported_to_whom_asks(read: Read) -> None:
    graph = read(BROKEN["nested-foreach"])
    assert check(graph) == []
    (finding,) = check(graph, also=["nested-foreach"])
    assert (finding.code, finding.step) == ("FG060", "a")
    assert [finding.slug for finding in check(read(flow(**GANG)), also=ON_REQUEST)] == ["gang"]
    with pytest.raises(InvalidArgument, match="nested-foreach, gang"):
        check(graph, also=["no-such-rule"])


@pytest.mark.parametrize("marks", ["@parallel", "@pytorch_parallel", "@module.parallel", "@parallel()"])
def test_marks_of_gangs(marks: str) -> None:
    node = Node("a", Linear("j"), decorators=(marks[1:].removesuffix("()"),))
    assert node.parallel
    assert not Node("a", Linear("j"), decorators=("parallelise", "retry")).parallel


@pytest.mark.parametrize(
    "way", ["self.a, foreach='xs'", "self.a, self.b", "{1: self.a, 2: self.b}, condition='c'", "self.a"]
)
def test_a_gang_is_reached_with_its_number_only(read: Read, way: str) -> None:
    steps = {**GANG, "start": way, "b": "self.j"}
    assert "gang-without-number" in {finding.slug for finding in check(read(flow(**steps)))}


def test_errors_of_artifacts_do_not_make_a_graph_ill_formed(read: Read) -> None:
    graph = read(BROKEN["unassigned-foreach"])
    assert [finding.severity for finding in check(graph)] == ["error"]
    assert not check(graph)[0].structural
    assert len(Traversal(graph).begin()) == 1
    with pytest.raises(GraphError):
        Traversal(read(BROKEN["unknown-step"]))


# ---- graphs that no source could say


def test_mistakes_of_a_builder() -> None:
    builder = GraphBuilder("Flow").step("start", next="a").step("a", next="end").step("a", next="end").step("end")
    with pytest.raises(GraphError) as caught:
        builder.build()
    (finding,) = caught.value.findings
    assert (finding.slug, finding.severity, finding.line) == ("duplicate-step", "error", None)


def test_graphs_of_nodes() -> None:
    steps = [Node("start", Switch("c", ())), Node("j", Join("end"), arguments=2), Node("end", End())]
    assert [finding.slug for finding in check(FlowGraph("Flow", steps))] == ["invalid-transition"]
    assert [f.slug for f in check(FlowGraph("Flow", [Node("start", Split(())), Node("end", End())]))] == [
        "invalid-transition"
    ]


def test_findings_of_equal_graphs_are_equal(read: Read) -> None:
    graph = read(BROKEN["mixed-join"])
    again = FlowGraph.from_json(graph.to_json())
    assert check(graph) == check(again) == check(graph)
