"""A compiled state machine, as a value."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import attrs
from flow_graph import FlowGraph

from sched_sfn import quotas
from sched_sfn.arguments import by_text, optional, whole
from sched_sfn.costs import Cost, Costs
from sched_sfn.fan_outs import FanOut
from sched_sfn.sharing import ASSIGN


@attrs.frozen
class StateMachine:
    """A graph as a state machine; `compile_machine` makes it.

    - `definition`: the Amazon States Language, as plain data.
    - `fan_outs`: how each foreach is spread, and why.
    - `read_steps`: the steps whose decision the machine reads in a state of its own.
    """

    definition: dict[str, Any]
    graph: FlowGraph
    fan_outs: Mapping[str, FanOut]
    read_steps: Collection[str] = ()

    def to_json(self, indent: int | None = 2) -> str:
        """The definition as JSON text, for people by default, as short as can be with `indent=None`."""
        return to_json(self.definition, indent)

    def cost(self, cardinalities: Mapping[str, int] | None = None, rounds: Mapping[str, int] | None = None) -> Cost:
        """What an execution costs at most.

        `cardinalities` has the widths of foreach steps, `rounds` how often recursive switches run; 1 where it says nothing.
        Raises flow_graph.UnknownStep, InvalidArgument.
        """
        for where, counts in {"cardinalities": cardinalities, "rounds": rounds}.items():
            check_counts(where, counts, self.graph)
        return Costs(
            self.graph,
            self.fan_outs,
            self.read_steps,
            cardinalities or {},
            rounds or {},
            ASSIGN in self.definition["States"],
        ).execution()

    def check(self, cardinalities: Mapping[str, int] | None = None) -> None:
        """Raise QuotaExceeded if AWS would refuse the machine, or break off an execution at these widths."""
        size = len(self.to_json(indent=None).encode())
        name = f"The state machine of {self.graph.name}"
        quotas.require(name, "bytes of a definition", quotas.DEFINITION, size, "Divide the flow.")
        cost = self.cost(cardinalities)
        quotas.require(
            name,
            "events in the history of an execution",
            quotas.EVENTS,
            cost.events,
            'Choose FanOut("distributed") for its widest foreach.',
        )
        quotas.require(
            name,
            "bytes of a state's payload",
            quotas.PAYLOAD,
            cost.payload_bytes,
            "Nest two foreaches of smaller width.",
        )


def check_counts(where: str, counts: Mapping[str, int] | None, graph: FlowGraph) -> None:
    """Raise InvalidArgument unless these are numbers by step, UnknownStep where a step is none."""
    optional(by_text(whole(0), "a mapping from steps to whole numbers"))(where, counts)
    for step in counts or ():
        graph[step]


def to_json(definition: Mapping[str, Any], indent: int | None = 2) -> str:
    """A definition as JSON text."""
    separators = (",", ":") if indent is None else None
    return json.dumps(definition, indent=indent, separators=separators, ensure_ascii=False)
