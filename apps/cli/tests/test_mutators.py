"""`FlowMutator` and `StepMutator`: a flow that changes as its configs say, before it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from stepwell import Config, FlowMutator, FlowSpec, Parameter, StepMutator, environment, project, resources, retry, step
from stepwell.api.decorators.kinds import Environment, Resources, Retry
from stepwell.api.decorators.triggers import Trigger, TriggerOnFinish
from stepwell.api.decorators.user import user_step_decorator
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.api.mutable import MutableFlow, MutableStep
from stepwell.api.options import FlowOptions
from stepwell.errors import DecoratorError, ParameterError


@user_step_decorator
def noted(step_name: str, flow: Any, inputs: Any, attributes: dict[str, Any]) -> Any:
    yield


class Named(StepMutator):
    def init(self, size: int = 1) -> None:
        self.size = size

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        mutable_step.add_decorator("environment", deco_kwargs={"vars": {"SIZE": self.size}})

    def mutate(self, mutable_step: MutableStep) -> None:
        mutable_step.remove_decorator("retry")


def flow_with(mutator: Any, options: FlowOptions | None = None) -> FlowDefinition:
    """A flow under a mutator, as it is read."""

    class Mutated(FlowSpec):
        cfg = Config("cfg", default_value={"size": 8})
        rate = Parameter("rate", default=1)

        @Named(cfg.size)
        @resources(cpu=2)
        @step
        def start(self) -> None:
            self.next(self.end)

        @step
        def end(self) -> None:
            pass

    return read_flow(mutator(Mutated), Path(__file__), options)


def mutating(early: Any = None, late: Any = None) -> type[FlowMutator]:
    """A mutator of these functions."""

    class Mutator(FlowMutator):
        def pre_mutate(self, mutable_flow: MutableFlow) -> None:
            if early:
                early(mutable_flow)

        def mutate(self, mutable_flow: MutableFlow) -> None:
            if late:
                late(mutable_flow)

    return Mutator


def test_a_step_mutator_takes_configs_and_sees_the_command_line() -> None:
    flow = flow_with(lambda cls: cls, FlowOptions(("retry:times=4",)))
    assert flow.decorator("start", Environment) == Environment(vars={"SIZE": "8"})
    assert flow.decorator("start", Retry) is None
    assert flow.decorator("end", Retry) == Retry(times=4)


def test_a_step_mutator_from_the_command_line_has_its_say_from_the_start() -> None:
    flow = flow_with(lambda cls: cls, FlowOptions(("Named:size=3", "retry:times=4")))
    assert flow.decorator("end", Environment) == Environment(vars={"SIZE": "3"})
    assert flow.decorator("end", Retry) is None
    assert flow.decorator("start", Environment) == Environment(vars={"SIZE": "8"})


def test_a_flow_mutator_adds_what_starts_a_deployed_flow() -> None:
    def triggers(flow: MutableFlow) -> None:
        flow.add_decorator("trigger", deco_kwargs={"event": "arrived"})
        flow.add_decorator("trigger_on_finish", deco_kwargs={"flow": "Earlier"})

    flow = flow_with(mutating(early=triggers))
    assert flow.flow_decorator(Trigger).event == {"name": "arrived", "parameters": {}}
    assert flow.flow_decorator(TriggerOnFinish).flow == "Earlier"


def test_a_flow_mutator_sees_what_there_is() -> None:
    seen: dict[str, Any] = {}

    def look(flow: MutableFlow) -> None:
        seen["configs"] = dict(flow.configs)
        seen["parameters"] = {name: one.default for name, one in flow.parameters}
        seen["steps"] = {name: [(spec[0], spec[3]) for spec in one.decorator_specs] for name, one in flow.steps}
        seen["attributes"] = (flow.cfg.size, flow.rate.name, flow.start.name, flow.start.flow.has_decorator("Mutator"))

    flow_with(mutating(look))
    assert seen["configs"] == {"cfg": {"size": 8}}
    assert seen["parameters"] == {"rate": 1}
    assert [name for name, _ in seen["steps"]["start"]] == ["resources", "Named"]
    assert seen["steps"]["start"][0][1] == {"cpu": 2}
    assert seen["attributes"] == (8, "rate", "start", True)


def test_decorators_are_added_with_a_rule_for_duplicates_and_removed_by_their_arguments() -> None:
    def change(flow: MutableFlow) -> None:
        start, end = flow.start, flow.end
        assert start.add_decorator(resources, deco_kwargs={"cpu": 9}) is None
        with pytest.raises(DecoratorError, match="already"):
            start.add_decorator("resources:cpu=9", duplicates=start.ERROR)
        assert start.add_decorator(resources, deco_kwargs={"cpu": 9}, duplicates=start.OVERRIDE) == Resources(cpu=9)
        assert end.add_decorator('environment:vars={"A": 1, "B": 2}') == Environment(vars={"A": "1", "B": "2"})
        assert not end.remove_decorator("environment", deco_kwargs={"vars": {}})
        assert end.add_decorator(noted, deco_kwargs={"x": 1}).ready({}) is not None
        assert end.get_decorator_specs("noted")[0][3] == {"x": 1}
        end.add_decorator(retry)
        assert end.remove_decorator("retry")
        assert not end.remove_decorator("retry")
        flow.add_decorator(project, deco_kwargs={"name": "apples"})

    flow = flow_with(mutating(change))
    assert flow.decorator("start", Resources) == Resources(cpu=9)
    assert [type(one).__name__ for one in flow.wrapping["end"]] == ["noted"]
    assert flow.decorator("end", Retry) is None
    assert "project" in flow.flow_decorators


def test_the_class_stays_as_it_is_written() -> None:
    mutator = mutating(lambda flow: flow.add_parameter("extra", Parameter("extra", default=3)))
    first = flow_with(mutator)
    again = read_flow(first.cls.__mro__[1], first.file)
    assert list(first.parameters) == list(again.parameters) == ["rate", "extra"]
    assert not hasattr(first.cls.__mro__[1], "extra")


WRONG: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "a taken name": (
        lambda flow: flow.add_parameter("start", Parameter("p")),
        None,
        ParameterError,
        "has 'start' already",
    ),
    "no parameter": (lambda flow: flow.add_parameter("p", 3), None, ParameterError, "takes a Parameter"),
    "too late": (None, lambda flow: flow.remove_parameter("rate"), DecoratorError, "pre_mutate"),
    "unknown": (lambda flow: flow.start.add_decorator("nope"), None, DecoratorError, "no decorator 'nope'"),
    "a flow's": (lambda flow: flow.start.add_decorator(project), None, DecoratorError, "no decorator for Step 'start'"),
    "a mutator": (lambda flow: flow.remove_decorator("Mutator"), None, DecoratorError, "cannot be removed"),
    "its own": (lambda flow: 1 / 0, None, DecoratorError, "Mutator.pre_mutate failed with ZeroDivisionError"),
    "by position": (lambda flow: flow.end.add_decorator(environment, [1]), None, DecoratorError, "by name"),
}


@pytest.mark.parametrize(("early", "late", "error", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_change_is_one_message(early: Any, late: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        flow_with(mutating(early, late))


def test_mutators_take_arguments_only_where_init_does() -> None:
    with pytest.raises(DecoratorError, match="takes no arguments"):
        mutating()(x=1)
    with pytest.raises(DecoratorError, match="above a flow's class"):
        mutating()()(7)
    with pytest.raises(DecoratorError, match="above a step"):
        Named(size=1)(7)


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_a_parameter_that_a_mutator_adds_is_an_option_and_one_that_it_removes_is_none(
    project: Project, options: tuple[str, ...]
) -> None:
    project.write(
        """
        from stepwell import *

        @user_step_decorator
        def loud(step_name, flow, inputs, attributes):
            print("loud", attributes)
            yield

        class ByConfig(FlowMutator):
            def pre_mutate(self, flow):
                for name, value in flow.cfg.parameters.items():
                    flow.add_parameter(name, Parameter(name, default=value))
                flow.remove_parameter("gone")

        @ByConfig
        class TestFlow(FlowSpec):
            cfg = Config("cfg", default_value={"parameters": {"x": 1, "y": 2}})
            gone = Parameter("gone", default=0)

            @step
            def start(self):
                print("saw", self.x, self.y, hasattr(self, "gone"))
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            TestFlow()
        """
    )
    done = project.python("flow.py", "--with", "loud:n=1", "run", "--x", "5", *options)
    assert "saw 5 2 False" in done.stdout, done.stderr
    assert "loud {'n': 1}" in done.stdout
    assert project.python("flow.py", "run", "--gone", "1").returncode == 2


def test_a_flow_is_changed_once_by_the_process_that_runs_it(project: Project) -> None:
    project.write(
        """
        from stepwell import *

        class Counted(FlowMutator):
            def pre_mutate(self, flow):
                print("changed")

        @Counted
        class TestFlow(FlowSpec):
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            TestFlow()
        """
    )
    assert project.run("--with", "retry:times=0").stdout.count("changed") == 1
