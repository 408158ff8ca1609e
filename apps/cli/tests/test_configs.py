"""`Config`: values that are read before everything else, kept with the run, and used where the flow is declared."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from stepwell import Config, ConfigValue, FlowSpec, Parameter, config_expr, resources, step
from stepwell.api.configs import configs, given_configs, read_configs
from stepwell.api.decorators.kinds import Resources
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.errors import ConfigError

FLOW = """
from stepwell import *


class TestFlow(FlowSpec):
    cfg = Config("cfg", default="cfg.json")
    table = Config("table", default_value="a,b", parser=lambda text: {"columns": text.split(",")})
    plain = Config("plain", default_value="[1]", plain=True)
    absent = Config("absent")
    depth = cfg.model.depth
    rate = Parameter("rate", default=cfg.rate)
    more = Parameter("more", type=int, default=lambda context: context.configs["cfg"].model.depth + 1)

    @environment(vars=config_expr("cfg.vars"))
    @step
    def start(self):
        import os

        print("saw", self.rate, self.more, self.depth, self.cfg.model["depth"], self.table.columns, self.plain, self.absent,
              os.environ["PLACE"], sorted(current.parameter_names))
        self.next(self.a, self.b)

    @step
    def a(self):
        self.next(self.join)

    @step
    def b(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        print("joined", self.cfg.rate, self.depth)
        if self.cfg.get("broken"):
            raise ValueError
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TestFlow()
"""
SETTINGS: dict[str, Any] = {"rate": 0.5, "model": {"depth": 3}, "vars": {"PLACE": "here"}}


@pytest.fixture
def configured(project: Project) -> Project:
    project.write(FLOW)
    project.write(json.dumps(SETTINGS), "cfg.json")
    return project


def test_configs_reach_steps_decorators_parameters_and_constants(configured: Project) -> None:
    done = configured.run()
    names = ["absent", "cfg", "more", "plain", "rate", "table"]
    assert f"saw 0.5 4 3 3 ['a', 'b'] [1] None here {names}" in done.stdout
    assert "joined 0.5 3" in done.stdout
    found = configured.client(
        'data = Run("TestFlow/1").data; print([data.cfg, data.table, data.plain, data.absent, data.depth])'
    )
    assert found == str([SETTINGS, {"columns": ["a", "b"]}, "[1]", None, 3])


def test_a_command_line_wins_over_the_environment_and_that_over_the_default(configured: Project) -> None:
    other = {**SETTINGS, "rate": 0.25}
    assert "saw 0.25" in configured.run(METAFLOW_FLOW_CONFIG_VALUE=json.dumps({"cfg": other})).stdout
    configured.write(json.dumps({**SETTINGS, "rate": 0.125}), "other.json")
    for command in (
        ("flow.py", "--config", "cfg", "other.json", "run"),
        ("-m", "stepwell", "run", "--config", "cfg", "other.json", "flow.py"),
    ):
        done = configured.python(*command, STEPWELL_FLOW_CONFIG='{"cfg": "absent.json"}')
        assert "saw 0.125" in done.stdout, done.stderr


def test_resume_goes_on_with_the_configs_of_the_run_unless_others_are_given(configured: Project) -> None:
    broken = json.dumps({**SETTINGS, "broken": True})
    assert configured.python("flow.py", "--config-value", "cfg", broken, "run", "--rate", "9").returncode == 1
    (configured.path / "cfg.json").unlink()
    done = configured.python("flow.py", "resume")
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    done = configured.python(
        "flow.py", "--config-value", "cfg", json.dumps({**SETTINGS, "rate": 7}), "resume", "--origin-run-id", "1"
    )
    assert "joined 7" in done.stdout, done.stderr


def test_a_task_of_another_program_has_the_configs_of_its_run(configured: Project) -> None:
    done = configured.python("flow.py", "--config-value", "cfg", json.dumps({**SETTINGS, "rate": 7}), "init")
    assert done.returncode == 0, done.stderr
    done = configured.python("flow.py", "step", "start", "--run-id", done.stdout.strip(), PLACE="there")
    assert "saw 7" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--config", "cfg", "absent.json"), "the file absent.json cannot be read"),
        (("--config-value", "cfg", "{bad"), "is no JSON"),
        (("--config-value", "cfg", "3"), "an object of names and values"),
        (("--config-value", "nope", "{}"), "'nope' is not one of"),
        (("--config", "cfg", "cfg.json", "--config-value", "cfg", "{}"), "give one"),
        (("--config-value", "cfg", '{"rate": 1, "model": {"depth": 1}}'), "'cfg.vars' has no value"),
    ],
)
def test_a_wrong_config_is_one_message_and_no_run(configured: Project, options: tuple[str, ...], says: str) -> None:
    done = configured.python("flow.py", *options, "run")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (configured.path / ".stepwell" / "flows").exists()


def test_a_required_config_is_asked_for(project: Project) -> None:
    project.write(FLOW.replace('Config("absent")', 'Config("absent", required=True)'))
    project.write(json.dumps(SETTINGS), "cfg.json")
    done = project.python("flow.py", "run")
    assert (done.returncode, "--config absent FILE" in done.stderr) == (2, True)
    assert project.python("flow.py", "--help").returncode == 0


class Declared(FlowSpec):
    cfg = Config("my-cfg", default_value={"job": {"cpu": 2, "memory": 100}, "sizes": [{"a": 1}]})

    @resources(**cfg.job)
    @step
    def start(self):
        self.next(self.middle)

    @resources(memory=config_expr("int(cfg['job'].memory * FACTOR)"), cpu=cfg["job"]["cpu"])
    @step
    def middle(self):
        self.next(self.end)

    @step
    def end(self):
        pass


FACTOR = 2


def defined(flow: type[FlowSpec]) -> FlowDefinition:
    return read_flow(flow, Path(__file__))


def test_decorators_are_made_of_expressions_when_the_flow_is_read() -> None:
    flow = defined(Declared)
    assert flow.decorator("start", Resources) == Resources(cpu=2, memory=100)
    assert flow.decorator("middle", Resources) == Resources(cpu=2, memory=200)
    assert flow.configs == {"cfg": {"job": {"cpu": 2, "memory": 100}, "sizes": [{"a": 1}]}}


def test_an_expression_without_a_value_names_itself() -> None:
    parameter = Parameter("p", default=config_expr("cfg.absent"))
    with pytest.raises(ConfigError, match=r"'cfg\.absent' has no value: AttributeError"):
        parameter.ready({"cfg": ConfigValue({})})
    with pytest.raises(ConfigError, match="no Python"):
        config_expr("1 +")


def test_declarations_that_make_no_sense_are_refused() -> None:
    for declare, says in (
        (lambda: Config("no name"), "letters"),
        (lambda: Config("c", default="x", default_value={}), "keep one"),
        (lambda: Config("c", parser="json"), "dotted name"),
    ):
        with pytest.raises(ConfigError, match=says):
            declare()

    class Twice(FlowSpec):
        one = Config("c")
        two = Config("c")

    with pytest.raises(ConfigError, match="share the name"):
        configs(Twice)


@pytest.mark.parametrize("text", ["[1]", "{", '"x"'])
def test_an_environment_that_holds_no_object_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="METAFLOW_FLOW_CONFIG"):
        given_configs({"METAFLOW_FLOW_CONFIG": text})


def test_defaults_may_be_functions_and_parsers_names(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"a": 1}')

    class Made(FlowSpec):
        path = Config("path", default=lambda: str(file))
        value = Config("value", default_value=lambda context: {"user": context.user_name})
        parsed = Config("parsed", default_value='{"b": 2}', parser="json.loads")

    assert read_configs(configs(Made), given_configs({})) == {
        "path": {"a": 1},
        "value": {"user": ""},
        "parsed": {"b": 2},
    }


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_a_config_value_is_a_dictionary_that_does_not_change(data: dict[str, Any]) -> None:
    value = ConfigValue(data)
    assert value == data == value.to_dict() == pickle.loads(pickle.dumps(value)).to_dict()
    assert json.loads(json.dumps(value)) == data
    for change in (
        lambda: value.update(a=1),
        value.clear,
        lambda: setattr(value, "a", 1),
        lambda: value.pop("a", None),
    ):
        with pytest.raises(TypeError, match="to_dict"):
            change()
    assert value == data
