"""Step decorators that users write: generators and classes around a step."""

from __future__ import annotations

import pytest
from conftest import Project
from stepwell import USER_SKIP_STEP, UserStepDecorator, user_step_decorator
from stepwell.errors import DecoratorError

HEAD = """
from stepwell import FlowSpec, USER_SKIP_STEP, UserStepDecorator, catch, retry, current, step, user_step_decorator

"""
CLASS = """

class TestFlow(FlowSpec):
"""
REST = """
    @step
    def end(self):
        print("artifacts:", sorted(name for name in ("x", "y", "seconds", "items", "join_saw") if hasattr(self, name)))


if __name__ == "__main__":
    TestFlow()
"""


def flow(project: Project, decorators: str, steps: str) -> None:
    """A flow file: decorators before the class, steps in it, and `end`."""
    project.write(HEAD + decorators + CLASS + steps + REST)


def start(above: str, body: str = "self.x = 1", after: str = "self.next(self.end)") -> str:
    """The start step under some decorators."""
    return f"    {above}\n    @step\n    def start(self):\n        print('body')\n        {body}\n        {after}\n"


TRACE = """
@user_step_decorator
def trace(step_name, flow, inputs, attributes):
    print("before", attributes["name"], step_name, inputs)
    yield
    flow.y = flow.x + 1
    print("after", attributes["name"])

class Timed(UserStepDecorator):
    def init(self, unit="s"):
        self.unit = unit

    def pre_step(self, step_name, flow, inputs=None):
        print("timing in", self.unit)

    def post_step(self, step_name, flow, exception=None):
        flow.seconds = 0
        return exception
"""


def test_decorators_nest_as_python_applies_them_and_may_set_artifacts(project: Project) -> None:
    flow(project, TRACE, start("@trace(name='outer')\n    @Timed\n    @trace(name='inner')"))
    done = project.run()
    story = [line.partition(")] ")[2] for line in done.stdout.splitlines() if "/start/" in line]
    assert story[1:-1] == [
        "before outer start None", "timing in s", "before inner start None", "body", "after inner", "after outer",
    ]  # fmt: skip
    assert "artifacts: ['seconds', 'x', 'y']" in done.stdout


def test_a_join_hands_its_inputs_over(project: Project) -> None:
    flow(
        project,
        "@user_step_decorator\ndef look(step_name, flow, inputs):\n    yield\n    flow.join_saw = [one.y for one in inputs]\n",
        "    @step\n    def start(self):\n        self.items = [1, 2]\n        self.next(self.each, foreach='items')\n\n"
        "    @step\n    def each(self):\n        self.y = self.input * 10\n        self.next(self.join)\n\n"
        "    @look\n    @step\n    def join(self, inputs):\n        self.next(self.after)\n\n"
        "    @step\n    def after(self):\n        assert self.join_saw == [10, 20]\n        self.next(self.end)\n",
    )
    assert "artifacts: ['join_saw']" in project.run().stdout


SKIPS = {
    "a generator": "@user_step_decorator\ndef deco(step_name, flow, inputs):\n    flow.y = 1\n    yield USER_SKIP_STEP\n",
    "one that does not yield": (
        "@user_step_decorator\ndef deco(step_name, flow, inputs):\n    flow.y = 1\n    return\n    yield\n"
    ),
    "a class": (
        "class deco(UserStepDecorator):\n    def pre_step(self, step_name, flow, inputs=None):\n        flow.y = 1\n"
        "        self.skip_step = True\n"
    ),
    "a replacement": (
        "def instead(flow):\n    flow.y = 1\n    return True\n\n"
        "@user_step_decorator\ndef deco(step_name, flow, inputs):\n    yield instead\n"
    ),
}


@pytest.mark.parametrize("decorator", SKIPS.values(), ids=SKIPS)
def test_a_step_that_is_left_out_goes_on_as_it_would(project: Project, decorator: str) -> None:
    flow(project, decorator, start("@deco"))
    done = project.run()
    assert ")] body" not in done.stdout
    assert "artifacts: ['y']" in done.stdout


def test_a_foreach_and_a_switch_go_on_as_the_graph_says(project: Project) -> None:
    flow(
        project,
        "@user_step_decorator\ndef make(step_name, flow, inputs):\n    flow.items = [1, 2]\n"
        "    flow.way = 'b'\n    yield USER_SKIP_STEP\n",
        "    @make\n    @step\n    def start(self):\n        self.next(self.each, foreach='items')\n\n"
        "    @step\n    def each(self):\n        self.next(self.join)\n\n"
        "    @step\n    def join(self, inputs):\n        self.next(self.turn)\n\n"
        "    @make\n    @step\n    def turn(self):\n"
        "        self.next({'a': self.one, 'b': self.two}, condition='way')\n\n"
        "    @step\n    def one(self):\n        self.next(self.end)\n\n"
        "    @step\n    def two(self):\n        print('way b')\n        self.next(self.end)\n",
    )
    assert "way b" in project.run().stdout


def test_an_exception_may_be_swallowed_or_replaced(project: Project) -> None:
    swallow = (
        "@user_step_decorator\ndef deco(step_name, flow, inputs):\n    try:\n        yield\n    except ZeroDivisionError:\n"
        "        flow.y = 1\n"
    )
    flow(project, swallow, start("@deco", "1 / 0"))
    assert "artifacts: ['y']" in project.run().stdout
    flow(project, swallow.replace("flow.y = 1", "raise KeyError('other')"), start("@deco", "1 / 0"))
    assert "KeyError: 'other'" in project.python("flow.py", "run").stderr


def test_what_a_decorator_raises_is_retried_and_caught(project: Project) -> None:
    flow(
        project,
        "@user_step_decorator\ndef deco(step_name, flow, inputs):\n    print('try')\n    raise OSError('before')\n    yield\n",
        start("@deco\n    @catch(var='y')\n    @retry(times=1, minutes_between_retries=0)"),
    )
    done = project.run()
    assert done.stdout.count(")] try") == 2
    assert "artifacts: ['y']" in done.stdout


WRONG = {
    "two yields": ("def deco(step_name, flow, inputs):\n    yield\n    yield\n", "yields a second time"),
    "another way": ("def deco(step_name, flow, inputs):\n    yield {'foreach': 'items'}\n", "asks for self.next with"),
}


@pytest.mark.parametrize(("generator", "says"), WRONG.values(), ids=WRONG)
def test_a_decorator_that_misbehaves_is_told_so(project: Project, generator: str, says: str) -> None:
    flow(project, "@user_step_decorator\n" + generator, start("@deco"))
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert says in done.stderr


def test_declarations_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DecoratorError, match="generator function"):
        user_step_decorator(lambda step_name, flow, inputs: None)  # type: ignore[arg-type, return-value]

    @user_step_decorator
    def plain(step_name, flow, inputs):  # type: ignore[no-untyped-def]
        yield USER_SKIP_STEP

    with pytest.raises(DecoratorError, match="@plain takes none"):
        plain(x=1)

    class Plain(UserStepDecorator):
        pass

    with pytest.raises(DecoratorError, match="@Plain takes no arguments"):
        Plain(x=1)
    with pytest.raises(DecoratorError, match="goes above a step"):
        Plain()(7)
