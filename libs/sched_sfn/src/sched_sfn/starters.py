"""What starts machines by itself: a schedule, and rules on events. Both belong to EventBridge."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from sched_sfn import arguments
from sched_sfn.arguments import field
from sched_sfn.aws import Client, calling, make_client
from sched_sfn.errors import InvalidArgument

NAME = 64
"""Characters of the name of a schedule or a rule."""
GROUP = "default"
TARGET_ID = "machine"


def check_cron(cron: Cron, attribute: Any, expression: Any) -> None:
    """Raise InvalidArgument unless it has AWS's fields; AWS knows what may be in them."""
    if not isinstance(expression, str) or len(expression.split()) != 6:
        must = "AWS's six fields: minutes, hours, day of month, month, day of week, year, as in '0 10 ? * MON-FRI *'"
        raise InvalidArgument("Cron's expression", expression, must)


@attrs.frozen
class Cron:
    """When: AWS's cron expression with its six fields (`0 10 ? * MON-FRI *`), in a time zone of the IANA database."""

    expression: str = attrs.field(validator=check_cron)
    timezone: str = attrs.field(default="UTC", validator=field(arguments.name))


PATHS = arguments.by_text(arguments.text, 'a mapping from names to paths, as {"id": "$.id"}')


@attrs.frozen
class EventRule:
    """Start a machine for each event that matches.

    - `name`: what tells it from the other rules of the same `Starters`, a short word.
    - `pattern`: an event pattern of EventBridge, as plain data.
    - `target_arn`: the state machine.
    - `input_template`: the execution's input as JSON text in which `<aws.events.event.json>` stands for the event; the event
      itself if left out.
    - `input_paths`: fields of the event by name, `{"id": "$.id"}`, for which `<id>` stands in the template. An event has up to
      256 KiB, and one of an execution's end holds that execution's input: take what is needed.
    """

    name: str = attrs.field(validator=field(arguments.name))
    pattern: Mapping[str, Any] = attrs.field(
        validator=field(arguments.instance(Mapping, must='an event pattern, as {"detail-type": ["new-data"]}'))
    )
    target_arn: str = attrs.field(validator=field(arguments.name))
    input_template: str | None = attrs.field(default=None, validator=field(arguments.optional(arguments.text)))
    input_paths: Mapping[str, str] = attrs.field(factory=dict, validator=field(PATHS))


A_CRON = arguments.instance(Cron, must="a Cron, as Cron('0 10 ? * MON-FRI *')")
A_RULE = arguments.instance(EventRule, must="an EventRule")


@attrs.define
class Starters:
    """The schedule and the rules that go by one name, that of a deployment. Constructing one sends nothing.

    - `role_arn`: the role that EventBridge takes to start executions.
    - `bus`: the event bus of the rules, its name or ARN.
    - `events`, `scheduler`: the caller's boto3 clients; else they are made from the environment, with `endpoint_url`.

    Every method may raise ServiceError. Raises InvalidArgument.
    """

    name: str = attrs.field(validator=field(arguments.name))
    role_arn: str = attrs.field(validator=field(arguments.name))
    bus: str = attrs.field(default="default", validator=field(arguments.name))
    events: Client = attrs.field(default=None, repr=False)
    scheduler: Client = attrs.field(default=None, repr=False)
    endpoint_url: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.events is None:
            self.events = make_client(self.endpoint_url, "events")
        if self.scheduler is None:
            self.scheduler = make_client(self.endpoint_url, "scheduler")

    def apply(self, target_arn: str, cron: Cron | None, rules: Iterable[EventRule] = (), data: Any = None) -> None:
        """Make schedule and rules these and no others; the schedule starts `target_arn` with `data` as its input."""
        arguments.optional(A_CRON)("The schedule", cron)
        wanted = {self._rule_name(rule.name): rule for rule in checked_rules(rules)}
        self._apply_schedule(target_arn, cron, data)
        for name in self.rules():
            if name not in wanted:
                self._delete_rule(name)
        for name, rule in wanted.items():
            self._put_rule(name, rule)

    def schedule(self) -> Cron | None:
        """The schedule as it is in the account; None where there is none."""
        with calling(f"look at the schedule of {self.name!r}"):
            try:
                found = self.scheduler.get_schedule(Name=short(self.name), GroupName=GROUP)
            except self.scheduler.exceptions.ResourceNotFoundException:
                return None
        match = re.fullmatch(r"cron\((.*)\)", found["ScheduleExpression"])
        return Cron(match[1] if match else found["ScheduleExpression"], found.get("ScheduleExpressionTimezone", "UTC"))

    def rules(self) -> list[str]:
        """The names of the rules in the account."""
        prefix = self._rule_name("")
        with calling(f"list the rules of {self.name!r}"):
            pages = self.events.get_paginator("list_rules").paginate(NamePrefix=prefix, EventBusName=self.bus)
            return [rule["Name"] for page in pages for rule in page["Rules"]]

    def delete(self) -> None:
        """Remove schedule and rules; nothing happens where there are none."""
        self._apply_schedule("", None, None)
        for name in self.rules():
            self._delete_rule(name)

    def _rule_name(self, name: str) -> str:
        return f"{short(self.name, NAME - 1 - len('trigger-00000000'))}.{name}"

    def _apply_schedule(self, target_arn: str, cron: Cron | None, data: Any) -> None:
        before = self.schedule()
        if cron is None:
            if before is not None:
                with calling(f"delete the schedule of {self.name!r}"):
                    self.scheduler.delete_schedule(Name=short(self.name), GroupName=GROUP)
            return
        change = self.scheduler.create_schedule if before is None else self.scheduler.update_schedule
        with calling(f"schedule {self.name!r}"):
            change(
                Name=short(self.name),
                GroupName=GROUP,
                ScheduleExpression=f"cron({cron.expression})",
                ScheduleExpressionTimezone=cron.timezone,
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": target_arn, "RoleArn": self.role_arn, "Input": json.dumps(data or {})},
            )

    def _put_rule(self, name: str, rule: EventRule) -> None:
        target: dict[str, Any] = {"Id": TARGET_ID, "Arn": rule.target_arn, "RoleArn": self.role_arn}
        if rule.input_template is not None:
            target["InputTransformer"] = {
                "InputPathsMap": dict(rule.input_paths),
                "InputTemplate": rule.input_template,
            }
        with calling(f"make the rule {name!r}"):
            self.events.put_rule(Name=name, EventPattern=json.dumps(rule.pattern), EventBusName=self.bus)
            self.events.put_targets(Rule=name, EventBusName=self.bus, Targets=[target])

    def _delete_rule(self, name: str) -> None:
        with calling(f"delete the rule {name!r}"):
            self.events.remove_targets(Rule=name, EventBusName=self.bus, Ids=[TARGET_ID])
            self.events.delete_rule(Name=name, EventBusName=self.bus)


def checked_rules(rules: Iterable[EventRule]) -> list[EventRule]:
    """The rules. Raises InvalidArgument."""
    if not isinstance(rules, Iterable):
        raise InvalidArgument("The rules", rules, "a sequence of EventRules")
    found = list(rules)
    for rule in found:
        A_RULE("A rule", rule)
    return found


def short(name: str, length: int = NAME) -> str:
    """A name that schedules and rules may have: one that is too long is cut, and told from others by a digest."""
    if len(name) <= length:
        return name
    return f"{name[: length - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
