"""What starts a deployed flow by itself, and what is started when its execution failed: `@schedule`, `@trigger`, and so on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import attrs
from sched_sfn import Cron, EventRule, Starters

from stepwell.api.decorators.flows import Schedule
from stepwell.api.decorators.triggers import Trigger, TriggerOnFinish
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, user_name
from stepwell.deploying.clients import aws_client
from stepwell.deploying.production_failure import failed_execution_pattern
from stepwell.deploying.production_input import EVENT_INPUT, FINISH_INPUT, FINISH_PATHS, SCHEDULE_INPUT


@attrs.frozen
class Wanted:
    """The schedule and the rules that a flow asks for."""

    cron: Cron | None
    rules: tuple[EventRule, ...]

    @property
    def digest(self) -> str:
        """A short text that differs where anything does; empty where nothing is wanted."""
        if not self.cron and not self.rules:
            return ""
        return hashlib.sha256(json.dumps(attrs.asdict(self), sort_keys=True).encode()).hexdigest()[:24]


def wanted_starters(flow: FlowDefinition, settings: Settings, machine_arn: str, failure_arn: str | None) -> Wanted:
    """What a flow's decorators ask for; `failure_arn` is the machine that ends failed runs, if there is one."""
    declared = flow.flow_decorator(Schedule)
    cron = Cron(declared.expression, declared.timezone or "UTC") if declared else None
    rules = []
    if (event := flow.flow_decorator(Trigger)) and event.event:
        rules.append(EventRule("event", {"detail-type": [event.event["name"]]}, machine_arn, EVENT_INPUT))
    if upstream := flow.flow_decorator(TriggerOnFinish):
        pattern = _finished(upstream_arn(flow, settings, upstream.flow, machine_arn))
        rules.append(EventRule("finish", pattern, machine_arn, FINISH_INPUT, FINISH_PATHS))
    if failure_arn:
        rules.append(EventRule("failed", failed_execution_pattern(machine_arn), failure_arn))
    return Wanted(cron, tuple(rules))


def upstream_arn(flow: FlowDefinition, settings: Settings, upstream: str, machine_arn: str) -> str:
    """The ARN of the machine of a flow that this one waits for: in the same project and branch, if it names none."""
    project = flow.project(user_name(settings))
    name = upstream
    if project and "." not in upstream:
        name = f"{project.project_name}.{project.branch_name}.{upstream}"
    return f"{machine_arn.rpartition(':')[0]}:{settings.get('STEPWELL_SFN_PREFIX') or ''}{name}"


def open_starters(machine: str, settings: Settings, role: str) -> Starters:
    """The schedule and rules of a deployment, as they are in the account."""
    return Starters(
        machine,
        role,
        bus=settings.get("STEPWELL_EVENT_BUS") or "default",
        events=aws_client("events", settings),
        scheduler=aws_client("scheduler", settings),
    )


def apply_starters(starters: Starters, machine_arn: str, wanted: Wanted) -> None:
    """Make schedule and rules those that are wanted, and no others."""
    starters.apply(machine_arn, wanted.cron, wanted.rules, data=SCHEDULE_INPUT)


def _finished(machine_arn: str) -> dict[str, Any]:
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine_arn], "status": ["SUCCEEDED"]},
    }
