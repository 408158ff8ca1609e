"""The code package: which files it has, that it is the same for the same files, and what a job makes of it."""

from __future__ import annotations

import importlib.metadata
import io
import json
import marshal
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from stepwell.config import Settings
from stepwell.deploying import bootstrap, fetching, package, runtime, runtime_archive
from stepwell.deploying.bootstrap import bootstrap_command
from stepwell.deploying.ignoring import Rules, chosen_files
from stepwell.errors import SettingsError, StepwellError

pytestmark = pytest.mark.usefixtures("libraries_here")


def names_in(data: bytes, folder: str) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    for name, text in {
        "flow.py": "x = 1\n",
        "helpers/one.py": "y = 1\n",
        "helpers/table.csv": "1,2\n",
        "notebooks/draft.py": "",
        "scratch.py": "",
        ".hidden/no.py": "",
        "venv/pyvenv.cfg": "",
        "venv/lib/big.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "flow.py"


def test_it_holds_the_python_files_of_the_flows_folder_and_what_they_need(flow: Path) -> None:
    data = package.build_package(flow)
    assert names_in(data, "flow/") == ["flow.py", "helpers/one.py", "notebooks/draft.py", "scratch.py"]
    libraries = names_in(data, "lib/")
    assert {"stepwell/execution/task.py", "cas_store/__init__.pyc", "attr/__init__.py"} <= set(libraries)
    assert not [name for name in libraries if "__pycache__" in name or name.endswith("RECORD")]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = json.loads(archive.read("package.json"))
    assert info["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert info["versions"]["attrs"] == importlib.metadata.version("attrs")


def test_other_files_come_along_by_their_suffix_and_rules_leave_out(flow: Path) -> None:
    (flow.parent / ".stepwellignore").write_text("# not for jobs\nnotebooks/\nscratch.*\n")
    found = package.flow_files(flow, (".py", ".csv"))
    assert sorted(found) == ["flow.py", "helpers/one.py", "helpers/table.csv"]


def test_the_same_files_give_the_same_bytes_and_others_give_others(flow: Path) -> None:
    first = package.build_package(flow)
    flow.touch()
    flow.chmod(0o600)
    assert package.build_package(flow) == first
    flow.write_text("x = 2\n")
    assert package.build_package(flow) != first


def test_what_must_be_a_file_lies_apart_and_every_module_is_compiled(flow: Path) -> None:
    data = package.build_package(flow)
    unpacked, imported = names_in(data, "unpacked/"), names_in(data, "lib/")
    assert {"botocore/session.pyc", "botocore/data/endpoints.json", "certifi/cacert.pem"} <= set(unpacked)
    assert any(name.startswith("pyfastcdc/") and name.endswith(".so") for name in unpacked)
    others = [name for name in imported if not name.endswith((".py", ".pyc"))]
    assert others == ["dateutil/zoneinfo/dateutil-zoneinfo.tar.gz"]
    assert {f"{name}c" for name in imported if name.endswith(".py")} == {
        name for name in imported if name.endswith(".pyc")
    }


def test_of_aws_it_knows_the_services_that_stepwell_asks(flow: Path) -> None:
    unpacked = names_in(package.build_package(flow), "unpacked/")
    described = {name.split("/")[2] for name in unpacked if name.startswith("botocore/data/")}
    assert set(runtime.AWS_SERVICES) <= described
    assert "dynamodb" not in described
    source = Path(runtime.__file__).parents[1]
    asked = {name for file in source.rglob("*.py") for name in re.findall(r'client\("([a-z0-9-]+)"', file.read_text())}
    assert asked <= set(runtime.AWS_SERVICES)


def test_bytecode_is_the_same_in_every_process_and_runs() -> None:
    source = "a = b'x' in {b'y', b'x'}\ntext = 'some words' 'here'\ndef f(n): return [n, text, {'k': (1, 2.5, None)}]\n"
    program = (
        "import sys; from stepwell.deploying.bytecode import bytecode; "
        f"sys.stdout.buffer.write(bytecode({source.encode()!r}, 'm.py'))"
    )

    def run(seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout

    made = {run("1"), run("2")}
    assert len(made) == 1
    values: dict[str, Any] = {}
    exec(marshal.loads(made.pop()[16:]), values)
    assert values["f"](7) == [7, "some wordshere", {"k": (1, 2.5, None)}]


def test_the_runtime_is_compiled_once(flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime_archive, "bytecode", lambda source, name: compiled.append(name) or b"")
    first = package.build_package(flow)
    assert "stepwell/execution/task.py" in compiled
    once = len(compiled)
    assert package.build_package(flow) == first
    assert len(compiled) == once


def test_a_folder_that_would_be_huge_is_refused(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "LIMIT_BYTES", 10)
    with pytest.raises(StepwellError, match="folder of its own"):
        package.build_package(flow)


@given(st.sampled_from(["a.py", "deep/a.py", "deep/er/b.py"]), st.sampled_from(["*", "*.py", "?.py"]))
def test_a_pattern_without_a_slash_is_matched_with_each_name(path: str, pattern: str) -> None:
    from pathlib import PurePosixPath

    assert Rules((pattern,)).leave_out(PurePosixPath(path), is_folder=False)
    assert not Rules((f"{pattern}/",)).leave_out(PurePosixPath(path), is_folder=False)


def test_a_pattern_with_a_slash_is_matched_with_the_path_from_the_flow(flow: Path) -> None:
    (flow.parent / ".stepwellignore").write_text("helpers/*.py\n/scratch.py\n")
    left = [path.name for path in chosen_files(flow.parent)]
    assert left == ["flow.py", "draft.py"]


def test_everything_that_the_libraries_require_comes_along() -> None:
    versions = runtime.distributions()
    assert {"stepwell", "stepwell-cas-store", "attrs", "click", "requests", "urllib3", "pyfastcdc"} <= set(versions)
    assert "pytest" not in versions


def test_what_is_compiled_for_another_machine_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def install(requirement: str, folder: Path, python: str, machine: str) -> None:
        asked.append(f"{requirement} {machine}")
        folder.mkdir()
        (folder / "compiled.so").write_text(machine)

    monkeypatch.setattr(fetching, "_install", install)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    other = runtime.image_platform("a-machine")
    files = runtime.runtime_files(other)
    assert f"pyfastcdc=={importlib.metadata.version('pyfastcdc')} a-machine" in asked
    assert files["compiled.so"].read_text() == "a-machine"
    assert "attr/__init__.py" in files, "what runs everywhere is taken from here"
    once = list(asked)
    runtime.runtime_files(other)
    assert asked == once


def test_the_package_for_another_machine_has_what_is_compiled_for_that_one(
    flow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(requirement: str, folder: Path, python: str, machine: str) -> None:
        folder.mkdir()
        (folder / f"{requirement.partition('=')[0]}.{machine}.so").write_text("")

    monkeypatch.setattr(fetching, "_install", install)
    monkeypatch.setattr(runtime_archive, "bytecode", lambda source, name: b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = package.package_for(flow, Settings(environment={"STEPWELL_BATCH_ARCHITECTURE": "aarch64"}))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert json.loads(archive.read("package.json"))["machine"] == "aarch64"
    compiled = [name for name in names_in(data, "unpacked/") if name.endswith(".so")]
    assert "pyfastcdc.aarch64.so" in compiled
    assert not [name for name in compiled if "x86_64" in name]


def test_a_machine_that_nobody_knows_is_refused_before_anything_is_fetched(flow: Path) -> None:
    with pytest.raises(SettingsError, match=r"must be one of: x86_64, aarch64"):
        package.package_for(flow, Settings(environment={"STEPWELL_BATCH_ARCHITECTURE": "riscv"}))


def test_a_package_that_cannot_be_fetched_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_installer", lambda python, machine: [sys.executable, "-c", "exit('no index')"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(StepwellError, match=r"thing==1 for Python 3\.12 on aarch64 Linux.*no index[\s\S]*your-image"):
        fetching.fetched("thing", "1", "3.12", "aarch64")


def test_the_commands_list_and_save_it(project: Project) -> None:
    project.flow("@step\ndef start(self):\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    project.write("1,2\n", "table.csv")
    assert project.python("flow.py", "package", "list").stdout == "flow.py\n"
    listed = project.python("flow.py", "--package-suffixes", ".csv,.txt", "package", "list").stdout
    assert listed == "flow.py\ntable.csv\n"


def test_the_bootstrap_is_a_program_that_fits_into_a_submission() -> None:
    command, option, program = bootstrap_command()
    compile(bootstrap._PROGRAM, "bootstrap", "exec")
    assert (command, option) == ("python3", "-c")
    assert len(program) < 3_500, "all overrides together are 8 KiB"
    assert "$(" not in program, "or AWS takes it for a variable"
