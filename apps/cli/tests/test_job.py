"""What a job learns from its environment, and what the code package holds."""

from __future__ import annotations

import importlib.metadata
import re
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from stepwell.deploying import package
from stepwell.deploying.bootstrap import bootstrap_command
from stepwell.deploying.job import read_environment
from stepwell.errors import StepwellError

BASE = {"STEPWELL_FLOW": "F", "STEPWELL_STEP": "s", "STEPWELL_RUN_ID": "12"}


@pytest.mark.parametrize(
    ("more", "task_id", "attempt"),
    [
        ({}, "t0", 0),
        ({"STEPWELL_FOREACH_PATH": "3-1"}, "t3-1", 0),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t7", 0),
        ({"STEPWELL_FOREACH_PATH": "3", "AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t3-7", 0),
        ({"STEPWELL_ARRAY_OFFSET": "10000", "AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t10007", 0),
        ({"STEPWELL_ITERATION": "2"}, "t0-r2", 0),
        ({"AWS_BATCH_JOB_ATTEMPT": "3"}, "t0", 2),
        ({"STEPWELL_ATTEMPT_BASE": "4", "AWS_BATCH_JOB_ATTEMPT": "1"}, "t0", 4),
    ],
)
def test_the_environment_names_the_task_and_the_attempt(more: dict[str, str], task_id: str, attempt: int) -> None:
    task = read_environment({**BASE, **more})
    assert (task.flow, task.run_id, task.step) == ("F", "12", "s")
    assert (task.task_id, task.attempt) == (task_id, attempt)


def test_the_run_of_an_execution_is_named_after_it() -> None:
    execution = {"STEPWELL_FLOW": "F", "STEPWELL_STEP": "s", "STEPWELL_EXECUTION": "abc"}
    assert read_environment(execution).run_id == "sfn-abc"


@pytest.mark.usefixtures("libraries_here")
def test_the_package_is_the_same_for_the_same_files_and_another_for_others(tmp_path: Path) -> None:
    flow = tmp_path / "flow.py"
    flow.write_text("x = 1\n")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "one.py").write_text("y = 1\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.py").write_text("")
    (tmp_path / "data.csv").write_text("1,2")
    first = package.build_package(flow)
    flow.touch()
    assert package.build_package(flow) == first
    with tarfile.open(fileobj=BytesIO(first)) as archive:
        names = archive.getnames()
    assert [name for name in names if name.startswith("flow/")] == ["flow/flow.py", "flow/helpers/one.py"]
    assert "lib/stepwell/execution/task.py" in names
    flow.write_text("x = 2\n")
    assert package.build_package(flow) != first


@pytest.mark.usefixtures("libraries_here")
def test_a_package_that_would_be_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flow.py").write_text("x = 1\n")
    monkeypatch.setattr(package, "LIMIT_BYTES", 1000)
    with pytest.raises(StepwellError, match="folder of its own"):
        package.build_package(tmp_path / "flow.py")


def test_the_bootstrap_installs_what_the_libraries_require() -> None:
    """Everything that the packages' metadata asks for, but for each other."""
    names = ("stepwell", "stepwell-cas-store", "stepwell-flow-graph", "stepwell-meta-client")
    required = {
        normalized(requirement)
        for name in names
        for requirement in importlib.metadata.requires(name) or ()
        if "extra ==" not in requirement and not requirement.startswith("stepwell")
    }
    assert required <= set(map(normalized, package.REQUIREMENTS.values()))


def normalized(requirement: str) -> str:
    """The name of a requirement, as packaging compares names."""
    return re.split(r"[\s<>=!;\[(]", requirement)[0].lower().replace(".", "-")


def test_the_bootstrap_is_a_program_that_compiles() -> None:
    program = bootstrap_command()[2]
    compile(program, "bootstrap", "exec")
    assert len(program) < 4096
