"""What a join sees of its inputs beside their artifacts."""

from __future__ import annotations

import pytest
from conftest import Project

NESTED = """
factor = Parameter("factor", default=10)
numbers = [1, 2]

@property
def doubled(self):
    return self.value * 2

def times(self):
    return self.value * self.factor

@step
def start(self):
    self.letters = {letter: None for letter in "pq"}
    self.next(self.outer, foreach="letters")

@step
def outer(self):
    self.next(self.inner, foreach="numbers")

@step
def inner(self):
    self.value = self.input
    self.next(self.together)

@step
def together(self, inputs):
    self.seen = [(one.index, one.input, one.foreach_stack(), one.doubled, one.times(), one.name) for one in inputs]
    self.next(self.last)

@step
def last(self, inputs):
    self.seen = [one.seen for one in inputs]
    self.above = [(one.index, one.input) for one in inputs]
    try:
        inputs[0].nothing
    except AttributeError as error:
        print("no such:", error)
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_an_input_has_its_item_and_what_the_flows_class_adds(project: Project, options: tuple[str, ...]) -> None:
    project.flow(NESTED)
    done = project.run(*options)
    assert "no such: The input from step 'together' has no artifact 'nothing'" in done.stdout
    found = project.client("data = Flow('TestFlow').latest_run.data; print(data.above); print(*data.seen, sep=chr(10))")
    above, *seen = map(eval, found.splitlines())
    assert above == [(0, "p"), (1, "q")]
    assert seen == [
        [
            (0, 1, [(at, 2, letter), (0, 2, 1)], 2, 10, "TestFlow"),
            (1, 2, [(at, 2, letter), (1, 2, 2)], 4, 20, "TestFlow"),
        ]
        for at, letter in above
    ]


GANG = """
@step
def start(self):
    self.next(self.work, num_parallel=2)

@parallel
@step
def work(self):
    self.next(self.join)

@step
def join(self, inputs):
    print("nodes", [(one.index, one.input) for one in inputs])
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_an_input_of_a_gang_has_its_node(project: Project) -> None:
    project.flow(GANG)
    assert "nodes [(0, 0), (1, 1)]" in project.run().stdout


ARMS = """
@step
def start(self):
    self.next(self.a, self.b)

@step
def a(self):
    self.next(self.join)

@step
def b(self):
    self.next(self.join)

@step
def join(self, inputs):
    print("outside", [(one.index, one.input, one.foreach_stack()) for one in inputs])
    self.kept = inputs[0]
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_an_input_outside_a_foreach_has_no_item_and_none_can_be_kept(project: Project) -> None:
    project.flow(ARMS)
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "outside [(None, None, []), (None, None, [])]" in done.stdout
    assert "self.kept (a stepwell.execution.merging.Input)" in done.stderr
    assert "save the values you need from it" in done.stderr
