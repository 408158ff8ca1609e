"""The examples run as the README says, and what they find is right."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Place


def test_delays(examples: Path) -> None:
    place = Place(examples.parent, {})
    said = place.succeed("-m", "stepwell", "run", "examples/delays.py", "--late-after", "30")
    assert "336,776 flights of 16 airlines" in said
    found = json.loads(place.client('import json; print(json.dumps(Flow("DelayStats").latest_run.data.result))'))
    assert sum(one["flown"] for one in found.values()) == 327_346  # flights of the data set that arrived
    assert found["HA"]["mean"] < 0 < found["F9"]["mean"]
    assert place.client('print(len(list(Flow("DelayStats").latest_run["measure"])))') == "12"


def test_predict(examples: Path) -> None:
    place = Place(examples, {})
    assert "better: ridge regression" in place.succeed("predict.py", "run")
    found = json.loads(place.client('import json; print(json.dumps(Flow("PredictDelay").latest_run.data.result))'))
    assert found["ridge regression"]["rmse"] < found["mean of airline and hour"]["rmse"]


def test_scaling(examples: Path) -> None:
    place = Place(examples, {})
    assert "a matrix of 327,346 x" in place.succeed("scaling.py", "run", "--samples", "3", "--size", "5000")
    found = json.loads(place.client('import json; print(json.dumps(Flow("DelayCauses").latest_run.data.result))'))
    assert len(found) == 5
    assert all(minutes > 5 for minutes, _ in found.values())


def test_hello_by_both_ways_of_starting_it(examples: Path) -> None:
    place = Place(examples.parent, {})
    assert "Hello from run 1" in place.succeed("-m", "stepwell", "run", "examples/hello.py")
    assert "Hello from run 2" in place.succeed("examples/hello.py", "run")
    assert place.client('print(Flow("HelloFlow").latest_run.data.greeting)') == "Hello from run 2"
