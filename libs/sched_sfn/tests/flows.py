"""One graph for each shape of a flow."""

from __future__ import annotations

from typing import Any

from flow_graph import FlowGraph, GraphBuilder, read_class


def step(function: Any) -> Any:
    """Only marks a step: the class below is read, never run."""
    return function


class Linear:
    """A flow that is read from its source, so that its machine points to it."""

    @step
    def start(self):
        """Begin."""
        self.next(self.work)

    @step
    def work(self):
        self.next(self.end)

    @step
    def end(self):
        """Done."""


def linear() -> FlowGraph:
    return read_class(Linear)


def split() -> FlowGraph:
    builder = GraphBuilder("Split").step("start", next=["left", "right"])
    builder.step("left", next="more").step("more", next="join").step("right", next="join")
    return builder.step("join", next="end").step("end").build()


def foreach() -> FlowGraph:
    builder = GraphBuilder("Foreach").step("start", foreach="items", next="work")
    return builder.step("work", next="join").step("join", next="end").step("end").build()


def long_foreach() -> FlowGraph:
    builder = GraphBuilder("LongForeach").step("start", foreach="items", next="clean")
    builder.step("clean", next="train").step("train", next="join")
    return builder.step("join", next="end", join=True).step("end").build()


def nested_foreach() -> FlowGraph:
    builder = GraphBuilder("NestedForeach").step("start", foreach="shards", next="shard")
    builder.step("shard", foreach="folds", next="fold").step("fold", next="join_folds").step(
        "join_folds", next="join_shards"
    )
    return builder.step("join_shards", next="end").step("end").build()


def switch() -> FlowGraph:
    builder = GraphBuilder("Switch").step("start", condition="size", next={"small": "quick", "big": "slow"})
    builder.step("quick", next="end").step("slow", next="check").step("check", next="end")
    return builder.step("end").build()


def recursion() -> FlowGraph:
    builder = GraphBuilder("Recursion").step("start", next="refine")
    builder.step("refine", condition="state", next={"again": "refine", "good": "end"})
    return builder.step("end").build()


def everything() -> FlowGraph:
    """A recursive switch and a split in a foreach, in an arm of a split."""
    builder = GraphBuilder("Everything").step("start", next=["fan", "side"])
    builder.step("fan", foreach="items", next="refine")
    builder.step("refine", condition="state", next={"again": "refine", "good": "halve"})
    builder.step("halve", next=["one", "two"]).step("one", next="merge").step("two", next="merge")
    builder.step("merge", next="gather", join=True).step("gather", next="tail", join=True).step("tail", next="join")
    builder.step("side", next="join")
    return builder.step("join", next="end", join=True).step("end").build()
