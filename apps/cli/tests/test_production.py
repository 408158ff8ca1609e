"""What goes into production beside the state machine: inputs, events, tokens, words for schedules, what people are told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cas_store import MemoryBackend, ReadThroughStore
from hypothesis import given
from hypothesis import strategies as st
from stepwell import FlowSpec, Parameter, step, trigger, trigger_on_finish
from stepwell.api.decorators.cron import why_no_cron
from stepwell.api.decorators.cron_words import in_words
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.api.trigger import read_trigger
from stepwell.config import Settings
from stepwell.deploying.clients import aws_client
from stepwell.deploying.job import read_environment
from stepwell.deploying.production_alarms import alarms_template
from stepwell.deploying.production_failure import failure_machine, failure_text
from stepwell.deploying.production_input import (
    EVENT_INPUT,
    LONGEST,
    SCHEDULE_INPUT,
    execution_input,
    read_input,
)
from stepwell.deploying.production_tokens import Owned, TokenRequest, require_token, token_to_deploy
from stepwell.errors import DecoratorError, NotAuthorized, ParameterError, SettingsError
from stepwell.execution.stores import Stores


@trigger(event={"name": "new-data", "parameters": {"table": "name", "max-rows": "rows"}})
@trigger_on_finish(flow="Upstream")
class Triggered(FlowSpec):
    table = Parameter("table", default="none")
    max_rows = Parameter("max-rows", default=10)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


@pytest.fixture
def flow() -> FlowDefinition:
    return read_flow(Triggered, Path(__file__))


@pytest.fixture
def stores() -> Stores:
    return Stores("s3://bucket/prefix", MemoryBackend(), ReadThroughStore(MemoryBackend(), list))


# ---- AWS, as the settings and the environment name it


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "region"),
        ({"AWS_PROFILE": "absent", "AWS_DEFAULT_REGION": "us-east-1"}, "absent"),
        ({"STEPWELL_AWS_REGION": "not/a"}, "not/a"),
        ({"STEPWELL_AWS_REGION": "us-east-1", "STEPWELL_AWS_ENDPOINT_URL": "nonsense"}, "nonsense"),
    ],
)
def test_an_aws_that_cannot_be_asked_is_a_mistake_in_the_settings(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    with pytest.raises(
        SettingsError, match=rf"AWS \(stepfunctions\) cannot be asked: .*{said}.*\nCheck STEPWELL_AWS_REGION"
    ):
        aws_client("stepfunctions", Settings(environment=variables))


# ---- inputs


@given(st.fixed_dictionaries({"table": st.text(max_size=3 * LONGEST), "max_rows": st.integers()}))
def test_what_is_given_comes_back_and_fits_into_a_job(values: dict[str, Any]) -> None:
    flow = read_flow(Triggered, Path(__file__))
    stores = Stores("s3://bucket", MemoryBackend(), ReadThroughStore(MemoryBackend(), list))
    data = execution_input(flow, stores, values)
    asked = read_input(flow, json.dumps(data))
    loaded = {name: stores.objects.load(reference) for name, reference in asked.references.items()}
    assert {**asked.values, **loaded} == values
    plain = {name: value for name, value in data.items() if not name.startswith("@")}
    assert len(json.dumps(plain)) <= LONGEST


@pytest.mark.parametrize("text", ['["table"]', '{"tabel": 1}', "3"])
def test_an_input_that_names_no_parameter_is_refused(flow: FlowDefinition, text: str) -> None:
    with pytest.raises(ParameterError, match="table"):
        read_input(flow, text)


def test_fields_of_an_event_become_parameters(flow: FlowDefinition) -> None:
    event = {
        "detail-type": "new-data",
        "id": "1",
        "time": "2026-11-25T10:00:00Z",
        "detail": {"name": "users", "other": 1},
    }
    asked = read_input(flow, EVENT_INPUT.replace("<aws.events.event.json>", json.dumps(event)))
    assert asked.values == {"table": "users"}
    found = read_trigger(asked.trigger)
    assert found is not None
    assert (found.event.name, found.event.type, found.event.timestamp.hour, found.run) == (
        "new-data",
        "event",
        10,
        None,
    )


def test_the_end_of_a_run_is_told_with_that_run(flow: FlowDefinition) -> None:
    event = {"source": "aws.states", "id": "2", "time": "2026-11-25T10:00:00Z", "detail": {"name": "abc"}}
    found = read_trigger(read_input(flow, json.dumps({"@event": event})).trigger)
    assert found is not None
    assert (found.event.name, found.event.type, found.pathspec) == ("Upstream.end", "run", "Upstream/sfn-abc")


def test_a_schedule_says_when(flow: FlowDefinition) -> None:
    text = json.dumps(SCHEDULE_INPUT).replace("<aws.scheduler.scheduled-time>", "2026-11-25T10:00:00Z")
    found = read_trigger(read_input(flow, text).trigger)
    assert found is not None
    assert found.event.type == "schedule"


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: trigger(events=["a", "b"]), "one event"),
        (lambda: trigger(), "event="),
        (lambda: trigger(event={"nome": "a"}), "name and parameters"),
        (lambda: trigger_on_finish(flows=["A", "B"]), "one event"),
        (lambda: trigger_on_finish(flow=3), "name of a flow"),
    ],
)
def test_triggers_that_cannot_be_are_refused(declare: Any, says: str) -> None:
    with pytest.raises(DecoratorError, match=says):
        declare()


# ---- attempts


@pytest.mark.parametrize(
    ("base", "counter", "attempt", "is_last"),
    [
        ("3*0", "1", 0, False),
        ("3*0", "3", 2, True),
        ("3*2", "1", 6, False),
        ("1*1", "1", 1, True),
        ("2", "1", 2, False),
    ],
)
def test_attempts_are_counted_on_when_an_execution_is_redriven(
    base: str, counter: str, attempt: int, is_last: bool
) -> None:
    environment = {
        "STEPWELL_FLOW": "F", "STEPWELL_EXECUTION": "x", "STEPWELL_STEP": "start",
        "STEPWELL_ATTEMPT_BASE": base, "AWS_BATCH_JOB_ATTEMPT": counter,
    }  # fmt: skip
    task = read_environment(environment)
    assert (task.attempt, task.is_last) == (attempt, is_last)


# ---- tokens


def as_user(user: str, folder: Path) -> Settings:
    return Settings(environment={"STEPWELL_USER": user, "STEPWELL_CONFIG_DIR": str(folder / user)})


def test_a_token_is_made_once_and_needed_by_others(tmp_path: Path) -> None:
    ann, bob = as_user("ann", tmp_path), as_user("bob", tmp_path)
    token = token_to_deploy("flow", None, ann, TokenRequest())
    owned = Owned("flow", token, "ann")
    assert token_to_deploy("flow", owned, ann, TokenRequest()) == token
    with pytest.raises(NotAuthorized, match="ann"):
        require_token(owned, bob, None)
    with pytest.raises(NotAuthorized, match="guess"):
        require_token(owned, bob, "guess")
    require_token(owned, bob, token)
    require_token(owned, bob, None)  # it was given before
    assert token_to_deploy("flow", owned, bob, TokenRequest(generate=True)) != token


# ---- words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 * * ? *", "at 00:00 every day"),
        ("0 * * * ? *", "at minute 0 of every hour every day"),
        ("0 0 ? * SUN *", "at 00:00 on Sunday"),
        ("0 10 ? * MON-FRI *", "at 10:00 on Monday to Friday"),
        ("0/15 * * * ? *", "every 15 minutes every day"),
        ("0 9 ? * 2#1 *", "at 09:00 on the first Monday of the month"),
        ("0 0 L * ? *", "at 00:00 on the last day of the month"),
        ("0 0 ? JAN,MAR 6L 2027-2030", "at 00:00 on the last Friday of the month in January and March in 2027 to 2030"),
    ],
)
def test_schedules_in_words(expression: str, words: str) -> None:
    assert why_no_cron(expression) is None
    assert in_words(expression) == words


# ---- failures


def test_what_people_are_told_has_the_commands_to_type() -> None:
    text = failure_text("Flow", "flow.py", "sfn-1", "fit", "t3", "Step 'fit' failed: KeyError")
    assert "Flow/sfn-1/fit/t3 failed.\nStep 'fit' failed: KeyError" in text
    assert "python flow.py logs sfn-1/fit/t3\npython flow.py resume --origin-run-id sfn-1\n" in text


def test_the_failure_machine_tells_nobody_without_a_topic(stores: Stores) -> None:
    machine = failure_machine("Flow", "flow.py", stores, None)
    assert machine["States"]["done"] == {"Type": "Succeed"}
    told = failure_machine("Flow", "flow.py", stores, "arn:aws:sns:us-east-1:123456789012:t")
    assert re.search(r"<(run|step|task|reason)>", json.dumps(told)) is None
    assert told["States"]["end"]["Arguments"]["Key"] == (
        "{% 'prefix/flows/Flow/runs/sfn-' & $states.input.execution & '/ended.json' %}"
    )


def test_alarms_watch_each_way_in_which_runs_end_badly() -> None:
    template = alarms_template("arn:aws:states:us-east-1:1:stateMachine:f", "f", None)
    metrics = {one["Properties"]["MetricName"] for one in template["Resources"].values()}
    assert {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"} <= metrics
