"""A fork draws as a fresh process does: anew where nobody gave a seed, and the same where somebody did."""

from __future__ import annotations

import ast

from conftest import Project

BODY = """
@step
def start(self):
    self.items = list(range(WIDTH))
    self.next(self.each, foreach="items")

@step
def each(self):
    import random, numpy
    self.drawn = {
        "random": random.random(), "numpy": numpy.random.random(), "own": own.random(), "generator": generator.random(),
        "nested": nested.random(), "legacy": legacy.random_sample(), "imported": sharing.taken.random(),
    }
    self.seeded = (seeded.random(), seeded_generator.random(), sharing.seeded.random())
    self.next(self.join)

@step
def join(self, inputs):
    drawn = [one.drawn for one in inputs]
    print("distinct", {name: len({one[name] for one in drawn}) for name in drawn[0]})
    print("seeded", len({one.seeded for one in inputs}))
    self.next(self.end)

@step
def end(self):
    pass
"""
MODULES = """
import random
import numpy
import sharing
own = random.Random()
generator = numpy.random.default_rng()
nested: object = numpy.random.Generator(numpy.random.PCG64(None))
legacy = numpy.random.RandomState()
seeded = random.Random(17)
seeded_generator = numpy.random.default_rng(122807528840384100672342137672332424406)
"""


def test_each_task_draws_what_no_other_draws_from_generators_without_a_seed(project: Project) -> None:
    project.write("import making\ntaken = making.made\nseeded = making.seeded", "sharing.py")
    project.write("import random\nmade = random.Random()\nSEED = 3\nseeded = random.Random(SEED)", "making.py")
    project.flow(BODY.replace("WIDTH", "50"))
    flow = project.path / "flow.py"
    flow.write_text(f"{MODULES}\n{flow.read_text()}")
    said = project.run("--max-num-splits", "1000").stdout
    distinct = ast.literal_eval(said.partition("distinct ")[2].partition("\n")[0])
    assert set(distinct.values()) == {50}
    assert len(distinct) == 7
    assert "seeded 1\n" in said
