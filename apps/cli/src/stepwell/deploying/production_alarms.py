"""Alarms on a deployed flow, as a CloudFormation template: its metrics are there for every state machine."""

from __future__ import annotations

from typing import Any

METRICS = {
    "Failed": ("ExecutionsFailed", "A run failed."),
    "TimedOut": ("ExecutionsTimedOut", "A run took longer than its --workflow-timeout."),
    "Aborted": ("ExecutionsAborted", "A run was stopped."),
    "Throttled": ("ExecutionThrottled", "AWS slows state transitions down."),
}
PERIOD_SECONDS = 300


def alarms_template(machine_arn: str, machine: str, topic: str | None) -> dict[str, Any]:
    """The template of a stack with an alarm for each way in which runs end badly; `topic` is the ARN of who is told."""
    resources = {name: _alarm(machine_arn, machine, metric, says) for name, (metric, says) in METRICS.items()}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Alarms on the state machine {machine}.",
        "Parameters": {
            "Topic": {
                "Type": "String",
                "Default": topic or "",
                "Description": "The ARN of the SNS topic that is told; nobody if it is empty.",
            }
        },
        "Conditions": {"IsTold": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Topic"}, ""]}]}},
        "Resources": resources,
    }


def _alarm(machine_arn: str, machine: str, metric: str, says: str) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"{machine}-{metric}",
            "AlarmDescription": says,
            "Namespace": "AWS/States",
            "MetricName": metric,
            "Dimensions": [{"Name": "StateMachineArn", "Value": machine_arn}],
            "Statistic": "Sum",
            "Period": PERIOD_SECONDS,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Fn::If": ["IsTold", {"Ref": "Topic"}, {"Ref": "AWS::NoValue"}]}],
        },
    }
