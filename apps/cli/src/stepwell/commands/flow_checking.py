"""`python flow.py check`, `show`, `graph`: a flow looked at, not run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from stepwell.commands.examples import examples

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext


@click.command(
    "check",
    help="Check the flow without running it; exits with 1 where it cannot run.",
    epilog=examples("python flow.py check", "python flow.py check --json"),
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, one object a line.")
@click.option("--warnings/--no-warnings", expose_value=False, hidden=True)  # of Metaflow: here they are printed always
@click.pass_obj
def check(context: FlowContext, as_json: bool) -> None:
    """Print all findings, warnings too."""
    from flow_graph import check as find
    from flow_graph import render

    from stepwell.api.definition import planned_graph

    graph = planned_graph(context.cls, context.plan, context.options)
    findings = find(graph)
    if as_json:
        for finding in findings:
            print(finding.to_json())
    elif findings:
        print(*map(render, findings), sep="\n")
    else:
        print(f"{graph.name} is a valid flow of {len(graph)} steps.")
    if any(finding.severity == "error" for finding in findings):
        raise SystemExit(1)
    context.flow  # noqa: B018 - raises for what the graph does not show: a decorator on a step that it cannot be on


@click.command("show", help="Show the flow's steps and what they do.", epilog=examples("python flow.py show"))
@click.pass_obj
def show(context: FlowContext) -> None:
    """Print the documentation of flow and steps."""
    doc = (context.flow.cls.__doc__ or "").strip()
    print(context.flow.name + (f": {doc}" if doc else ""))
    for node in context.flow.graph:
        arrow = f" => {', '.join(node.next)}" if node.next else ""
        print(f"\nStep {node.name}{arrow}\n    {node.doc or '(not documented)'}")


@click.command(
    "graph",
    help="Draw the flow's graph.",
    epilog=examples(
        "python flow.py graph", "python flow.py graph --format svg > flow.svg", "python flow.py graph --format mermaid"
    ),
)
@click.option(
    "--format", "form", type=click.Choice(["text", "mermaid", "dot", "svg", "json"]), default="text", show_default=True
)
@click.option("--json", "form", flag_value="json", hidden=True)  # as in Metaflow's output-raw
@click.pass_obj
def draw(context: FlowContext, form: str) -> None:
    """Print a drawing, or what a program draws one from."""
    drawn = context.flow.graph
    forms: dict[str, Callable[[], str]] = {
        "text": drawn.to_text,
        "mermaid": drawn.to_mermaid,
        "dot": drawn.to_dot,
        "svg": lambda: _svg(drawn.to_dot()),
    }
    print(json.dumps(drawn.to_data(), indent=2) if form == "json" else forms[form]().rstrip())


def _svg(dot: str) -> str:
    """The drawing as SVG, by Graphviz; raises `StepwellError` where that is not installed or fails."""
    import subprocess

    from stepwell.errors import StepwellError

    try:
        done = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise StepwellError(
            "An SVG is drawn by Graphviz, whose program 'dot' is not on the PATH: install it (apt install graphviz), "
            "or print what draws it elsewhere: --format dot, --format mermaid"
        ) from None
    if done.returncode:
        raise StepwellError(f"Graphviz could not draw the graph: {done.stderr.strip()}")
    return done.stdout
