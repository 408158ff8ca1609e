"""Schedules and rules, as the account has them after they were applied."""

from __future__ import annotations

import json
import uuid

import pytest
from sched_sfn import Cron, EventRule, ServiceError, Starters
from stepwell_testing.aws_rig import Rig

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:flow"
WEEKDAYS = Cron("0 10 ? * MON-FRI *", "Europe/Paris")


def rule(name: str, template: str | None = None) -> EventRule:
    return EventRule(name, {"detail-type": [name]}, MACHINE, template)


@pytest.fixture
def starters(rig: Rig) -> Starters:
    name = f"a.project.branch.with.a-long-name.{uuid.uuid4().hex}"
    return Starters(name, rig.role, events=rig.client("events"), scheduler=rig.client("scheduler"))


def test_a_schedule_is_made_changed_and_taken_away(starters: Starters, rig: Rig) -> None:
    starters.apply(MACHINE, WEEKDAYS, data={"alpha": 1})
    assert starters.schedule() == WEEKDAYS
    (found,) = (one for one in starters.scheduler.list_schedules()["Schedules"])
    target = starters.scheduler.get_schedule(Name=found["Name"])["Target"]
    assert (target["Arn"], target["RoleArn"], json.loads(target["Input"])) == (MACHINE, rig.role, {"alpha": 1})
    starters.apply(MACHINE, Cron("0 0 * * ? *"))
    assert starters.schedule() == Cron("0 0 * * ? *", "UTC")
    starters.apply(MACHINE, None)
    assert starters.schedule() is None


def test_rules_are_these_and_no_others(starters: Starters) -> None:
    starters.apply(MACHINE, None, [rule("one"), rule("two", '{"event": <aws.events.event.json>}')])
    names = starters.rules()
    assert [name.rpartition(".")[2] for name in names] == ["one", "two"]
    assert max(map(len, names)) <= 64
    (target,) = starters.events.list_targets_by_rule(Rule=names[1])["Targets"]
    assert target["InputTransformer"]["InputTemplate"] == '{"event": <aws.events.event.json>}'
    pattern = json.loads(starters.events.describe_rule(Name=names[0])["EventPattern"])
    assert pattern == {"detail-type": ["one"]}
    starters.apply(MACHINE, None, [rule("two")])
    assert [name.rpartition(".")[2] for name in starters.rules()] == ["two"]


def test_a_rule_may_hand_on_only_some_fields(starters: Starters) -> None:
    paths = {"id": "$.id"}
    starters.apply(MACHINE, None, [EventRule("one", {"source": ["a"]}, MACHINE, '{"id": <id>}', paths)])
    (target,) = starters.events.list_targets_by_rule(Rule=starters.rules()[0])["Targets"]
    assert target["InputTransformer"] == {"InputPathsMap": paths, "InputTemplate": '{"id": <id>}'}
    starters.delete()


def test_deletion_leaves_nothing_and_may_be_repeated(starters: Starters) -> None:
    starters.apply(MACHINE, WEEKDAYS, [rule("one")])
    starters.delete()
    starters.delete()
    assert (starters.schedule(), starters.rules()) == (None, [])


def test_two_long_names_that_begin_alike_do_not_meet(rig: Rig) -> None:
    clients = {"events": rig.client("events"), "scheduler": rig.client("scheduler")}
    one, other = (Starters("x" * 70 + end, rig.role, **clients) for end in "ab")
    one.apply(MACHINE, WEEKDAYS, [rule("one")])
    other.delete()
    assert (one.schedule(), len(one.rules())) == (WEEKDAYS, 1)
    one.delete()


def test_what_aws_refuses_is_our_error(starters: Starters) -> None:
    with pytest.raises(ServiceError, match="make the rule"):
        starters.apply(MACHINE, None, [EventRule("bad name", {"detail-type": "no list"}, MACHINE)])
