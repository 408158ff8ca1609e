"""The machine of each shape, as it is reviewed in `goldens/`: `pytest --write-goldens` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checks import problems
from sched_sfn import Deployment
from shapes import SHAPES
from stepwell_testing.aws_rig import Rig

GOLDENS = Path(__file__).parent / "goldens"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_machine_is_the_reviewed_one(shape: str, request: pytest.FixtureRequest) -> None:
    file = GOLDENS / f"{shape}.json"
    text = SHAPES[shape]().to_json() + "\n"
    if request.config.getoption("--write-goldens"):
        file.write_text(text)
    assert text == file.read_text()


def test_there_is_no_golden_file_without_a_shape() -> None:
    assert {file.stem for file in GOLDENS.iterdir()} == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_arguments_variables_and_names_are_right(shape: str) -> None:
    assert problems(json.loads((GOLDENS / f"{shape}.json").read_text())) == []


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("JobNames", "x", "start: Arguments has no JobNames"),
        ("JobQueue", 3, "start: Arguments.JobQueue must be of type string, and is 3"),
        ("JobName", "{% $run %}", "start: the variable $run is not assigned"),
        ("JobName", "{% $sting($states.input) %}", "start: there is no function $sting"),
    ],
)
def test_the_checks_see_what_is_wrong(field: str, value: object, problem: str) -> None:
    definition = SHAPES["linear"]().definition
    definition["States"]["start"]["Arguments"][field] = value
    assert problems(definition) == [problem]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rig_takes_it(shape: str, rig: Rig) -> None:
    definition = json.loads((GOLDENS / f"{shape}.json").read_text())
    deployment = Deployment(f"golden-{shape}", definition, rig.role, client=rig.client("stepfunctions"))
    assert deployment.apply() == "created"
    deployment.delete()
