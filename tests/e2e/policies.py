"""The policies of the CloudFormation template, and what all tests together called on the rigs, by role."""

from __future__ import annotations

import base64
import json
import re
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from stepwell_testing.aws_rig import TEST_MARK, Rig

INTERPRETER = "ak"  # whom the rig's state machines call as
RECORDED_ROLES = ("Developer", "StateMachine")
TEMPLATE = Path(__file__).parents[2] / "deploy" / "aws" / "stepwell.yaml"
BATCH = {
    "submitjob": "SubmitJob",
    "terminatejob": "TerminateJob",
    "registerjobdefinition": "RegisterJobDefinition",
    "describejobs": "DescribeJobs",
    "listjobs": "ListJobs",
    "describejobdefinitions": "DescribeJobDefinitions",
}
SCHEDULER = {"GET": "GetSchedule", "POST": "CreateSchedule", "PUT": "UpdateSchedule", "DELETE": "DeleteSchedule"}

READ_WRITE = {
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
}  # S3Backend: records and objects; releasing a claim, gc
UPLOADS = {"s3:AbortMultipartUpload"}  # S3Backend, when an upload of many parts fails
# Who calls what, and in which part of the code.
CALLERS: dict[str, dict[str, set[str]]] = {
    "Developer": {
        "the datastore": {*READ_WRITE, *UPLOADS, "s3:ListBucket"},
        "compute_batch": {
            "batch:SubmitJob",
            "batch:TerminateJob",
            "batch:RegisterJobDefinition",
            "batch:DescribeJobs",
            "batch:ListJobs",
            "batch:DescribeJobDefinitions",
            "logs:GetLogEvents",
            "logs:FilterLogEvents",
        },
        "tags of what is submitted and registered, which AWS checks apart": {"batch:TagResource"},
        "sched_sfn.Deployment": {
            "states:CreateStateMachine",
            "states:UpdateStateMachine",
            "states:DeleteStateMachine",
            "states:DescribeStateMachine",
            "states:ListTagsForResource",
            "states:TagResource",
            "states:StartExecution",
            "states:ListExecutions",
        },
        "sched_sfn.Execution": {"states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"},
        "sched_sfn.Starters": {
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:DeleteRule",
            "events:ListRules",
            "scheduler:GetSchedule",
            "scheduler:CreateSchedule",
            "scheduler:UpdateSchedule",
            "scheduler:DeleteSchedule",
        },
        "roles named in job definitions, state machines, schedules and rules, which AWS checks": {"iam:PassRole"},
    },
    "Job": {"the datastore": {*READ_WRITE, *UPLOADS, "s3:ListBucket"}},
    "Execution": {
        "the agent of ECS, which fetches images": {
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage",
        },
        "the agent of ECS, which writes logs": {"logs:CreateLogStream", "logs:PutLogEvents"},
        "the agent of ECS, which hands the database's password to the service": {"secretsmanager:GetSecretValue"},
    },
    "StateMachine": {
        "submitJob.sync": {"batch:SubmitJob", "batch:DescribeJobs"},
        "tags of what is submitted, which AWS checks apart": {"batch:TagResource"},
        "jobs of an execution that is stopped": {"batch:TerminateJob"},
        "how AWS hears of the ends of jobs": {"events:PutTargets", "events:PutRule", "events:DescribeRule"},
        "decisions of tasks, ends of runs": {"s3:GetObject", "s3:PutObject"},
        "production_failure": {"sns:Publish"},
        "distributed maps": {
            "states:StartExecution",
            "states:DescribeExecution",
            "states:StopExecution",
            "states:RedriveExecution",
        },
        "the log group of executions": {
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        },
    },
    "Events": {"schedules and rules": {"states:StartExecution"}},
    "Collector": {"gc, fsck, prune, reindex": {*READ_WRITE, "s3:ListBucket"}},
}
UNSEEN = {
    "Developer": (
        "the datastore",
        "tags of what is submitted and registered, which AWS checks apart",
        "roles named in job definitions, state machines, schedules and rules, which AWS checks",
    ),
    "StateMachine": (
        "how AWS hears of the ends of jobs",
        "decisions of tasks, ends of runs",
        "distributed maps",
        "the log group of executions",
        "tags of what is submitted, which AWS checks apart",
        "jobs of an execution that is stopped",
    ),
}
"""The parts that the rigs do not record: S3 is another server, and AWS calls itself."""


def template() -> dict[str, Any]:
    import cfnlint.decode

    found, problems = cfnlint.decode.decode(str(TEMPLATE))
    assert not problems
    return dict(found)


def allowed(template: dict[str, Any]) -> dict[str, set[str]]:
    """The actions that each policy allows, by its name without `Policy`."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                actions = statement["Action"]
                found[name.removesuffix("Policy")] |= {actions} if isinstance(actions, str) else set(actions)
    return dict(found)


def begin_recording(rig: Rig) -> None:
    """Have the rig note each call."""
    _ask(rig, "POST", "start-recording")


def recorded(rig: Rig) -> dict[str, set[str]]:
    """What was called on the rig: the actions that a policy would have to allow, by role."""
    calls: dict[str, set[str]] = defaultdict(set)
    for line in _ask(rig, "GET", "download-recording").splitlines():
        if found := action_of(json.loads(line)):
            calls[found[0]].add(found[1])
    return dict(calls)


def _ask(rig: Rig, method: str, what: str) -> str:
    request = urllib.request.Request(f"{rig.url}/moto-api/recorder/{what}", method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as response:
        return str(response.read().decode())


def action_of(entry: dict[str, Any]) -> tuple[str, str] | None:
    """The role that called, and the action; None for calls of no service, and for those of the tests themselves."""
    headers = {name.lower(): value for name, value in entry["headers"].items()}
    signed = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", headers.get("authorization", ""))
    if signed is None or TEST_MARK in headers.get("user-agent", ""):
        return None
    key, service = signed.groups()
    path = entry["url"].split("?")[0]
    if service == "batch":
        last = path.rpartition("/")[2]
        name = BATCH.get(last, last)
    elif service == "scheduler":
        name = SCHEDULER[entry["method"]]
    else:
        target = headers.get("x-amz-target", "").rpartition(".")[2]
        name = target or "".join(
            parse_qs(base64.b64decode(entry["body"]).decode())["Action"]
        )  # SNS is asked with a form
    return _role(key, headers.get("user-agent", "")), f"{service}:{name}"


def _role(key: str, agent: str) -> str:
    if key == INTERPRETER:
        return "StateMachine"
    return "Job" if "exec-env/AWS_ECS" in agent else "Developer"


def not_allowed(calls: Mapping[str, set[str]]) -> list[str]:
    """What was called and its role's policy does not allow."""
    policies = allowed(template())
    return [
        f"{role} called {action}" for role, made in sorted(calls.items()) for action in sorted(made - policies[role])
    ]


def spare(calls: Mapping[str, set[str]]) -> list[str]:
    """What policies allow and nobody called, but for what the rigs cannot see."""
    policies = allowed(template())
    return [
        f"{role} may call {action}"
        for role in RECORDED_ROLES
        for action in sorted(
            policies[role] - calls.get(role, set()) - set().union(*(CALLERS[role][part] for part in UNSEEN[role]))
        )
    ]
