"""What starts a deployed flow by itself, and what it is told then."""

from __future__ import annotations

import json
from pathlib import Path

from operating import transformed
from stepwell import FlowSpec, Parameter, step, trigger_on_finish
from stepwell.api.definition import read_flow
from stepwell.api.trigger import read_trigger
from stepwell.config import Settings
from stepwell.deploying.production_input import LONGEST, read_input
from stepwell.deploying.production_starters import wanted_starters

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Downstream"


@trigger_on_finish(flow="Upstream")
class Downstream(FlowSpec):
    table = Parameter("table", default="none")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


def test_flows_that_start_each_other_in_a_chain_pass_on_no_inputs() -> None:
    flow = read_flow(Downstream, Path(__file__))
    (rule,) = (one for one in wanted_starters(flow, Settings({}), MACHINE, None).rules if one.name == "finish")
    text = json.dumps({"table": "x" * LONGEST})
    for name in "abcdef":
        event = {
            "source": "aws.states",
            "id": "2",
            "time": "2026-11-25T10:00:00Z",
            "detail": {"name": name, "input": text},
        }
        text = transformed(rule.input_template or "", rule.input_paths, event)
    assert len(text) < 200
    found = read_trigger(read_input(flow, text).trigger)
    assert found is not None
    assert found.pathspec == "Upstream/sfn-f"
