"""A new flow, settings, completion: what a person meets first."""

from __future__ import annotations

import json

import pytest
from conftest import Project


def test_a_new_flow_runs_as_it_is(project: Project) -> None:
    made = project.stepwell("new", "train_model")
    assert made.stdout == "Wrote train_model.py with the flow TrainModel. Run it: python train_model.py run\n"
    assert "The total is 14" in project.run("--count", "4", file="train_model.py").stdout
    again = project.stepwell("new", "train_model.py")
    assert (again.returncode, "exists already" in again.stderr) == (1, True)


@pytest.mark.parametrize("name", ["1st.py", "-.py", "no/such/folder.py", "random", "stepwell.py"])
def test_a_file_that_can_be_no_flow_is_refused(project: Project, name: str) -> None:
    done = project.stepwell("new", "--", name)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_file_named_like_a_module_of_pythons_own_says_that_it_must_be_renamed(project: Project) -> None:
    project.stepwell("new", "first")
    (project.path / "first.py").rename(project.path / "random.py")
    done = project.python("random.py", "run", PYTHONUTF8="1")  # by a new interpreter, which imports what is in its way
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("a module of Python's own, which cannot be imported now: rename it")


def test_a_line_to_type_is_one_that_a_shell_takes(project: Project) -> None:
    assert project.stepwell("new", "my flow").stdout.endswith("Run it: python 'my flow.py' run\n")
    file = project.path / "my flow.py"
    file.write_text(file.read_text().replace("self.total = ", "self.total = 1 / 0 + "))
    done = project.python("my flow.py", "run")
    assert done.stderr.splitlines()[-1] == "To go on from there: python 'my flow.py' resume --origin-run-id 1"


def test_settings_are_shown_exported_and_reset(project: Project) -> None:
    given = {"METAFLOW_SERVICE_URL": "http://127.0.0.1:1", "METAFLOW_SERVICE_AUTH_KEY": "hush", "STEPWELL_USER": "ann"}
    assert "configure import" in project.stepwell("configure", "show").stderr
    installed = {key.replace("METAFLOW_", "STEPWELL_"): value for key, value in given.items()}
    project.write(json.dumps(given), "given.json")
    project.stepwell("configure", "import", "given.json")
    shown = project.stepwell("configure", "show").stdout
    assert '"STEPWELL_USER": "ann"' in shown
    assert "hush" not in shown
    project.stepwell("configure", "export", "copy.json")
    assert json.loads((project.path / "copy.json").read_text()) == installed
    assert (project.path / "copy.json").stat().st_mode & 0o077 == 0
    assert json.loads(project.stepwell("configure", "export", "-").stdout) == installed
    assert project.stepwell("configure", "reset", "--yes").returncode == 0
    assert project.stepwell("configure", "reset", "--yes").returncode == 1


def test_settings_are_validated_by_asking_the_stores(project: Project) -> None:
    done = project.stepwell("configure", "validate")
    assert (done.returncode, done.stdout.count("answers")) == (0, 2)
    wrong = project.stepwell("configure", "validate", STEPWELL_DATASTORE="tape")
    assert (wrong.returncode, "'tape'" in wrong.stderr) == (1, True)
    (project.path / ".stepwell").mkdir(exist_ok=True)
    (project.path / ".stepwell" / "metadata.db").write_bytes(
        b"this is no database, and it is long enough to be seen as none"
    )
    broken = project.stepwell("configure", "validate")
    assert broken.returncode == 1
    assert "does not answer" in broken.stdout


def test_a_shell_completes_commands(project: Project) -> None:
    assert "_STEPWELL_COMPLETE=bash_complete" in project.stepwell("completion", "bash").stdout
    done = project.python(
        "-c",
        "from stepwell.commands.main import main; main()",
        _STEPWELL_COMPLETE="bash_complete",
        COMP_WORDS="stepwell re",
        COMP_CWORD="1",
    )
    assert {line.partition(",")[2] for line in done.stdout.split()} == {"resume", "reindex"}


@pytest.mark.parametrize("words", ["configure import te", "configure export te", "new te"])
def test_a_shell_completes_files(project: Project, words: str) -> None:
    done = project.python(
        "-c",
        "from stepwell.commands.main import main; main()",
        _STEPWELL_COMPLETE="bash_complete",
        COMP_WORDS=f"stepwell {words}",
        COMP_CWORD=str(len(words.split())),
    )
    assert done.stdout == "file,te\n"
