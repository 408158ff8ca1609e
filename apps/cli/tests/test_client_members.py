"""The Client API, member by member, on one run: a table of what each is there, so that nothing of it can go missing.

Run 1 has a foreach and a gang; what it lacks as one of this machine, a code package and a trigger, is put into its claim. Run 2
resumes it at its gang.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
import stepwell
from conftest import Project
from stepwell import (
    DataArtifact,
    Deployer,
    Flow,
    Metaflow,
    Run,
    Runner,
    Step,
    Task,
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    metadata,
    namespace,
)
from stepwell.errors import SettingsError

FLOW = """
alpha = Parameter("alpha", default=1)

@step
def start(self):
    self.items = ["a", "b", "c"]
    self.big = b"b" * 1000
    self._hidden = 1
    self.next(self.each, foreach="items")

@step
def each(self):
    import sys
    print("out", self.input)
    print("err é", file=sys.stderr)
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.wide)

@step
def wide(self):
    self.next(self.gang, num_parallel=2)

@parallel
@step
def gang(self):
    self.next(self.gather)

@step
def gather(self, inputs):
    self.next(self.end)

@step
def end(self):
    self.result = 7
"""
EVENT = {"name": "Other.end", "id": "e-1", "time": "2026-11-25T10:00:00Z", "type": "run", "run": "TestFlow/2"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    from stepwell.deploying import runtime
    from stepwell.execution.stores import stores_at

    project = Project(tmp_path_factory.mktemp("members"))
    file = project.flow(FLOW)
    project.run("--tag", "nightly")
    assert project.python("flow.py", "resume", "gang").returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        for name, value in project.environment.items():
            patch.setenv(name, value)
        patch.chdir(project.path)
        libraries = ("stepwell", "cas_store", "flow_graph", "meta_client")  # this suite has no others
        patch.setattr(runtime, "LIBRARIES", {name: runtime.LIBRARIES[name] for name in libraries})
        from stepwell.config import load_settings
        from stepwell.deploying.package import upload_package
        from stepwell.execution.records import encode, read_run

        stores = stores_at(str(project.path / ".stepwell"))
        digest, url = upload_package(file, stores, load_settings())
        claim = attrs.evolve(read_run(stores.records, "TestFlow", "1"), package=digest, package_url=url, trigger=EVENT)
        stores.records.replace("flows/TestFlow/runs/1/run.json", encode(claim))
        yield project
    default_metadata()


def _names_in(folder: TemporaryDirectory[str]) -> list[str]:
    return [file.name for file in Path(folder.name).iterdir()]


NOW = object()
"""Stands for a time within this test session."""
PATH = "TestFlow/1"

# what an object is asked -> what it says
Table = dict[str, tuple[Callable[[Any], Any], Any]]

COMMON: Table = {
    "id": (lambda one: one.id, "t1"),
    "pathspec": (lambda one: one.pathspec, f"{PATH}/each/t1"),
    "path_components": (lambda one: list(one.path_components), ["TestFlow", "1", "each", "t1"]),
    "parent": (lambda one: one.parent.pathspec, f"{PATH}/each"),
    "created_at": (lambda one: one.created_at, NOW),
    "origin_pathspec": (lambda one: one.origin_pathspec, None),
    "tags": (lambda one: one.tags >= {"nightly", "user:tester"}, True),
    "user_tags": (lambda one: one.user_tags, {"nightly"}),
    "system_tags": (lambda one: "user:tester" in one.system_tags and "nightly" not in one.system_tags, True),
    "is_in_namespace()": (lambda one: one.is_in_namespace(), True),
    "iterate": (lambda one: [artifact.id for artifact in one], ["_hidden", "alpha", "big", "items"]),
    "[id]": (lambda one: one["alpha"].pathspec, f"{PATH}/each/t1/alpha"),
    "in": (lambda one: ("alpha" in one, "absent" in one), (True, False)),
}
METAFLOW: Table = {
    "flows": (lambda all_there_is: [flow.id for flow in all_there_is.flows], ["TestFlow"]),
    "iterate": (lambda all_there_is: [flow.id for flow in all_there_is], ["TestFlow"]),
    "[name]": (lambda all_there_is: all_there_is["TestFlow"].id, "TestFlow"),
    "in": (lambda all_there_is: ("TestFlow" in all_there_is, "Absent" in all_there_is), (True, False)),
}
FLOW_MEMBERS: Table = {
    "latest_run": (lambda flow: flow.latest_run.id, "2"),
    "latest_successful_run": (lambda flow: flow.latest_successful_run.id, "2"),
    "runs(*tags)": (lambda flow: [run.id for run in flow.runs("nightly")], ["1"]),
    "iterate": (lambda flow: [run.id for run in flow], ["2", "1"]),
    "[run_id]": (lambda flow: (flow["1"].id, flow[1].id), ("1", "1")),
    "in": (lambda flow: ("1" in flow, "77" in flow), (True, False)),
    "origin_pathspec": (lambda flow: flow.origin_pathspec, None),
    "parent": (lambda flow: flow.parent, None),
}
RUN: Table = {
    "data": (lambda run: run.data.result, 7),
    "successful": (lambda run: run.successful, True),
    "finished": (lambda run: run.finished, True),
    "finished_at": (lambda run: run.finished_at, NOW),
    "end_task": (lambda run: run.end_task.pathspec, f"{PATH}/end/t0"),
    "code": (lambda run: run.code.script_name, "flow.py"),
    "trigger": (lambda run: run.trigger.event.name, "Other.end"),
    "steps(*tags)": (lambda run: (len(list(run.steps("nightly"))), list(run.steps("absent"))), (7, [])),
    "iterate": (lambda run: [step.id for step in run], ["end", "gather", "gang", "wide", "join", "each", "start"]),
    "in": (lambda run: ("each" in run, "absent" in run), (True, False)),
    "origin_pathspec": (lambda run: (run.origin_pathspec, Run("TestFlow/2").origin_pathspec), (None, PATH)),
    "add_tag": (lambda run: (run.add_tag("x"), "x" in run.tags)[1], True),
    "add_tags": (lambda run: (run.add_tags(["y", "z"]), {"y", "z"} <= run.tags)[1], True),
    "replace_tag": (lambda run: (run.replace_tag("x", "w"), {"w", "x"} & run.tags)[1], {"w"}),
    "replace_tags": (lambda run: (run.replace_tags(["w"], ["v"]), {"v", "w"} & run.tags)[1], {"v"}),
    "remove_tag": (lambda run: (run.remove_tag("v"), "v" in run.tags)[1], False),
    "remove_tags": (lambda run: (run.remove_tags(["y", "z"]), run.user_tags)[1], {"nightly"}),
}
STEP: Table = {
    "task": (lambda step: step.task.id, "t0"),
    "tasks(*tags)": (lambda step: ([task.id for task in step.tasks("nightly")], list(step.tasks("absent"))),
                     (["t0", "t1", "t2"], [])),
    "iterate": (lambda step: [task.id for task in step], ["t0", "t1", "t2"]),
    "in": (lambda step: ("t2" in step, "t3" in step), (True, False)),
    "control_task": (lambda step: (step.control_task, Step(f"{PATH}/gang").control_task.id), (None, "t0")),
    "control_tasks(*tags)": (lambda step: [task.id for task in Step(f"{PATH}/gang").control_tasks("nightly")], ["t0"]),
    "parent_steps": (lambda step: [one.id for one in step.parent_steps], ["start"]),
    "child_steps": (lambda step: [one.id for one in step.child_steps], ["join"]),
    "environment_info": (lambda step: step.environment_info["stepwell_version"], stepwell.__version__),
    "finished_at": (lambda step: step.finished_at, NOW),
    "origin_pathspec": (lambda step: (step.origin_pathspec, Step("TestFlow/2/each").origin_pathspec),
                        (None, f"{PATH}/each")),
}  # fmt: skip
TASK: Table = {
    "data": (lambda task: task.data.alpha, 1),
    "artifacts": (lambda task: task.artifacts.big.data[:2], b"bb"),
    "[name]": (lambda task: task["items"].data, ["a", "b", "c"]),
    "metadata": (lambda task: [one.value for one in task.metadata if one.name == "attempt_ok"], ["True"]),
    "metadata_dict": (lambda task: task.metadata_dict["attempt"], "0"),
    "stdout": (lambda task: task.stdout, "out b\n"),
    "stderr": (lambda task: task.stderr, "err é\n"),
    "stdout_size": (lambda task: task.stdout_size, 6),
    "stderr_size": (lambda task: task.stderr_size, 7),
    "loglines(stream)": (lambda task: [text for _, text in task.loglines("stdout", as_unicode=True)], ["out b"]),
    "successful": (lambda task: task.successful, True),
    "finished": (lambda task: task.finished, True),
    "finished_at": (lambda task: task.finished_at, NOW),
    "exception": (lambda task: task.exception, None),
    "index": (lambda task: task.index, 1),
    "runtime_name": (lambda task: task.runtime_name, "dev"),
    "code": (lambda task: task.code.script_name, "flow.py"),
    "environment_info": (lambda task: task.environment_info["user"], "tester"),
    "current_attempt": (lambda task: task.current_attempt, 0),
    "parent_tasks": (lambda task: [one.pathspec for one in task.parent_tasks], [f"{PATH}/start/t0"]),
    "child_tasks": (lambda task: [one.pathspec for one in task.child_tasks], [f"{PATH}/join/t0"]),
    "parent_task_pathspecs": (lambda task: list(task.parent_task_pathspecs), [f"{PATH}/start/t0"]),
    "child_task_pathspecs": (lambda task: list(task.child_task_pathspecs), [f"{PATH}/join/t0"]),
    "origin_pathspec": (lambda task: Task("TestFlow/2/each/t1").origin_pathspec, f"{PATH}/each/t1"),
    "attempt=": (lambda task: Task(task.pathspec, attempt=0).data.alpha, 1),
}
ARTIFACT: Table = {
    "data": (lambda artifact: artifact.data, b"b" * 1000),
    "sha": (lambda artifact: artifact.sha == DataArtifact(f"{PATH}/start/t0/big").sha, True),
    "size": (lambda artifact: 1000 < artifact.size < 1100, True),
    "finished_at": (lambda artifact: artifact.finished_at, NOW),
    "origin_pathspec": (lambda artifact: DataArtifact("TestFlow/2/each/t1/big").origin_pathspec, f"{PATH}/each/t1/big"),
}
DATA: Table = {
    "attribute access": (lambda data: data.alpha, 1),
    "in": (lambda data: ("alpha" in data, "absent" in data), (True, False)),
}
CODE: Table = {
    "path": (lambda code: code.path == Run(PATH)._claim.package, True),
    "info": (lambda code: (code.info["flow_name"], code.info["script"], code.info["user"]), ("TestFlow", "flow.py", "tester")),
    "flowspec": (lambda code: "class TestFlow(FlowSpec)" in code.flowspec, True),
    "script_name": (lambda code: code.script_name, "flow.py"),
    "tarball": (lambda code: code.tarball.getnames(), ["flow.py"]),
    "extract()": (lambda code: _names_in(code.extract()), ["flow.py"]),
}  # fmt: skip
TRIGGER: Table = {
    "event": (lambda trigger: trigger.event.name, "Other.end"),
    "events": (lambda trigger: [event.id for event in trigger.events], ["e-1"]),
    "run": (lambda trigger: trigger.run.pathspec, "TestFlow/2"),
    "runs": (lambda trigger: [run.id for run in trigger.runs], ["2"]),
    "from_runs": (lambda trigger: type(trigger).from_runs([Run(PATH)]).run.pathspec, PATH),
    "[name]": (lambda trigger: trigger["TestFlow"].pathspec, "TestFlow/2"),
    "in": (lambda trigger: ("TestFlow" in trigger, "Absent" in trigger), (True, False)),
}
TRIGGER_EVENT: Table = {
    "name": (lambda event: event.name, "Other.end"),
    "id": (lambda event: event.id, "e-1"),
    "timestamp": (lambda event: event.timestamp, dt.datetime(2026, 11, 25, 10, tzinfo=dt.timezone.utc)),
    "type": (lambda event: event.type, "run"),
}

TABLES: dict[str, tuple[Callable[[], Any], Table]] = {
    "common": (lambda: Task(f"{PATH}/each/t1"), COMMON),
    "Metaflow": (Metaflow, METAFLOW),
    "Flow": (lambda: Flow("TestFlow"), FLOW_MEMBERS),
    "Run": (lambda: Run(PATH), RUN),
    "Step": (lambda: Step(f"{PATH}/each"), STEP),
    "Task": (lambda: Task(f"{PATH}/each/t1"), TASK),
    "DataArtifact": (lambda: DataArtifact(f"{PATH}/each/t1/big"), ARTIFACT),
    "data": (lambda: Task(f"{PATH}/each/t1").data, DATA),
    "code": (lambda: Run(PATH).code, CODE),
    "trigger": (lambda: Run(PATH).trigger, TRIGGER),
    "event": (lambda: Run(PATH).trigger.event, TRIGGER_EVENT),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_member_says_what_it_has_to(ran: Project, kind: str) -> None:
    make, table = TABLES[kind]
    said = {}
    for name, (ask, expected) in table.items():
        answer = ask(make())
        said[name] = NOW if expected is NOW and dt.datetime.now() - answer < dt.timedelta(hours=1) else answer
    assert said == {name: expected for name, (_, expected) in table.items()}


def test_code_is_extracted_into_a_directory_that_goes_again(ran: Project) -> None:
    code = Run(PATH).code
    assert code is not None
    with code.extract() as folder:
        assert (Path(folder) / "flow.py").read_text() == code.flowspec
    assert not Path(folder).exists()


def test_the_namespace_is_told_set_and_reset(ran: Project) -> None:
    assert get_namespace() == "user:tester"
    assert namespace("user:other") == get_namespace() == "user:other"
    assert list(Flow("TestFlow")) == []
    assert namespace(None) is None
    assert default_namespace() == get_namespace() == "user:tester"


def test_the_place_of_metadata_is_told_set_and_reset(ran: Project, tmp_path: Path) -> None:
    here = f"local@{ran.path / '.stepwell'}"
    assert get_metadata() == here
    (tmp_path / ".stepwell").mkdir()
    assert metadata(f"local@{tmp_path}") == get_metadata() == f"local@{tmp_path / '.stepwell'}"
    assert list(Metaflow()) == []
    assert metadata(str(ran.path)) == here
    assert metadata("http://127.0.0.1:1/") == "service@http://127.0.0.1:1"
    with pytest.raises(SettingsError, match="names no metadata service"):
        metadata("service@nowhere")
    assert default_metadata() == here


def test_programs_find_what_runs_and_deploys_flows() -> None:
    from stepwell.running.deployer import DeployedFlow, StepFunctionsDeployer, TriggeredRun
    from stepwell.running.executing import ExecutingRun

    has: dict[type, str] = {
        Runner: "run resume async_run async_resume cleanup __enter__ __exit__",
        ExecutingRun: "run status returncode stdout stderr stream_log wait",
        Deployer: "step_functions",
        StepFunctionsDeployer: "create deployed",
        DeployedFlow: "trigger delete list_runs production_token from_deployment",
        TriggeredRun: "run wait_for_run terminate",
    }
    missing = [
        f"{kind.__name__}.{name}" for kind, names in has.items() for name in names.split() if not hasattr(kind, name)
    ]
    assert missing == []
