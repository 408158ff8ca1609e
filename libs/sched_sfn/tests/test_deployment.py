from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sched_sfn import (
    Deployment,
    DeploymentNotFound,
    ExecutionExists,
    ExecutionFailed,
    InvalidName,
    QuotaExceeded,
    ServiceError,
    WaitTimedOut,
)
from sched_sfn.aws import calling
from stepwell_testing.aws_rig import Rig

SECONDS = 60


def machine(comment: str = "") -> dict[str, Any]:
    echo = {"Type": "Pass", "Output": "{% $states.input %}", "End": True}
    return {"Comment": comment, "QueryLanguage": "JSONata", "StartAt": "echo", "States": {"echo": echo}}


def waiting() -> dict[str, Any]:
    return {"StartAt": "wait", "States": {"wait": {"Type": "Wait", "Seconds": 600, "End": True}}}


@pytest.fixture
def client(rig: Rig) -> Any:
    return rig.client("stepfunctions")


def deploy(client: Any, rig: Rig, definition: dict[str, Any]) -> Deployment:
    deployment = Deployment(f"d-{uuid.uuid4().hex[:8]}", definition, rig.role, client=client)
    assert deployment.apply() == "created"
    return deployment


def count_calls(client: Any) -> Counter[str]:
    calls: Counter[str] = Counter()
    client.meta.events.register("before-call.*.*", lambda model, **_: calls.update([model.name]))
    return calls


def test_what_is_applied_is_what_get_reads_back(client: Any, rig: Rig) -> None:
    name = f"d-{uuid.uuid4().hex[:8]}"
    deployment = Deployment(name, machine(), rig.role, tags={"owner": "ann"}, client=client)
    deployment.apply()
    found = Deployment.get(name, client=client)
    assert (found.arn, found.definition, found.role_arn, found.tags) == (
        deployment.arn,
        machine(),
        rig.role,
        {"owner": "ann"},
    )


def test_applying_again_reads_only(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    calls = count_calls(client)
    assert deployment.apply() == "unchanged"
    assert calls == {"DescribeStateMachine": 1, "ListTagsForResource": 1}


def test_a_change_of_definition_or_tags_is_applied(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    changed = Deployment(deployment.name, machine("new"), rig.role, tags={"owner": "bob"}, client=client)
    assert changed.apply() == "updated"
    found = Deployment.get(deployment.name, client=client)
    assert (found.definition["Comment"], found.tags) == ("new", {"owner": "bob"})
    assert changed.apply() == "unchanged"


@pytest.mark.parametrize("suffix", ["", ":*"])
def test_a_log_group_is_set_and_taken_away(client: Any, rig: Rig, suffix: str) -> None:
    deployment = deploy(client, rig, machine())
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/flows"
    logged = Deployment(deployment.name, machine(), rig.role, log_group_arn=arn + suffix, client=client)
    assert [logged.apply(), logged.apply()] == ["updated", "unchanged"]
    assert Deployment.get(deployment.name, client=client).log_group_arn == arn
    assert deployment.apply() == "updated"
    assert Deployment.get(deployment.name, client=client).log_group_arn is None


def test_tags_of_others_are_left_alone(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    client.tag_resource(resourceArn=deployment.arn, tags=[{"key": "cost", "value": "lab"}])
    assert deployment.apply() == "unchanged"
    assert Deployment.get(deployment.name, client=client).tags == {"cost": "lab"}


def test_an_execution_gives_back_its_input_and_output(client: Any, rig: Rig) -> None:
    execution = deploy(client, rig, machine()).start({"alpha": [1, "é"]}, name="nightly-1")
    assert execution.wait(SECONDS, check=True).output == execution.input == {"alpha": [1, "é"]}
    assert execution.name == "nightly-1"
    assert execution.ended is not None
    assert execution.started is not None
    assert execution.ended >= execution.started


def test_an_execution_without_input_gets_an_empty_object(client: Any, rig: Rig) -> None:
    assert deploy(client, rig, machine()).start().wait(SECONDS).output == {}


def test_executions_are_found_by_name_and_status(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, waiting())
    first, second = deployment.start(name="one"), deployment.start(name="two")
    assert deployment.execution("one").arn == first.arn
    second.stop()
    assert [execution.name for execution in deployment.executions("RUNNING")] == ["one"]
    assert {execution.name for execution in deployment.executions()} == {"one", "two"}
    first.stop()


def test_waiting_ends_when_its_time_is_over(client: Any, rig: Rig) -> None:
    execution = deploy(client, rig, waiting()).start()
    with pytest.raises(WaitTimedOut) as timed_out:
        execution.wait(0.2)
    assert timed_out.value.retryable
    assert execution.running
    execution.stop("enough")
    with pytest.raises(ExecutionFailed, match="ABORTED"):
        execution.wait(SECONDS, check=True)


def test_deletion_leaves_nothing_and_may_be_repeated(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    deployment.delete()
    deployment.delete()
    with pytest.raises(DeploymentNotFound, match=deployment.name):
        Deployment.get(deployment.name, client=client)
    with pytest.raises(DeploymentNotFound):
        deployment.start()
    assert deployment.apply() == "created"


def test_a_name_is_used_for_one_execution(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    deployment.start({"n": 1}, name="one").wait(SECONDS)
    with pytest.raises(ExecutionExists, match="one"):
        deployment.start({"n": 2}, name="one")


def test_what_aws_refuses_is_our_error_with_its_code(client: Any, rig: Rig) -> None:
    with pytest.raises(ServiceError, match="nowhere") as refused:
        Deployment(
            "broken", {"StartAt": "a", "States": {"a": {"Type": "Pass", "Next": "nowhere"}}}, rig.role, client=client
        ).apply()
    assert refused.value.code == "InvalidDefinition"
    assert not refused.value.retryable
    assert refused.value.__cause__ is not None


def test_an_unreachable_endpoint_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(ServiceError) as unreachable:
        Deployment.get("any", endpoint_url="http://127.0.0.1:9")
    assert unreachable.value.retryable


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 81])
def test_names_that_aws_refuses_are_refused_here(name: str, client: Any, rig: Rig) -> None:
    with pytest.raises(InvalidName):
        Deployment(name, machine(), rig.role, client=client)
    with pytest.raises(InvalidName):
        Deployment("fine", machine(), rig.role, client=client).start(name=name)


@pytest.mark.parametrize("role", ["", "my-role", "arn:aws:iam::123456789012:user/ann"])
def test_a_role_that_is_none_is_refused_here(role: str, client: Any) -> None:
    with pytest.raises(InvalidName, match="role"):
        Deployment("fine", machine(), role, client=client)


def test_a_machine_that_is_being_deleted_is_not_there(client: Any, rig: Rig) -> None:
    deployment = deploy(client, rig, machine())
    client.meta.events.register(
        "after-call.sfn.DescribeStateMachine", lambda parsed, **_: parsed.update(status="DELETING")
    )
    with pytest.raises(DeploymentNotFound):
        Deployment.get(deployment.name, client=client)


def test_an_input_beyond_the_quota_is_refused_here(client: Any, rig: Rig) -> None:
    with pytest.raises(QuotaExceeded) as exceeded:
        Deployment("fine", machine(), rig.role, client=client).start({"x": "y" * 2**18})
    assert exceeded.value.limit == 262_144


def test_without_credentials_it_says_where_they_can_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which remembers those of an earlier test
    with pytest.raises(ServiceError, match=r"Unable to locate credentials\. Log in to AWS, set AWS_PROFILE"):
        Deployment.get("any", endpoint_url="http://127.0.0.1:1")


def test_denied_access_says_what_to_check() -> None:
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: states:StartExecution"}}
    with (
        pytest.raises(ServiceError, match="Check the credentials and their policies") as caught,
        calling("start it"),
    ):
        raise ClientError(denied, "StartExecution")  # type: ignore[arg-type]
    assert not caught.value.retryable
