"""What `--help` shows: examples that a person may type, lines that fit, mistakes that say what was meant; and the Tab key."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from conftest import Project
from stepwell import FlowSpec, project, step
from stepwell.commands import flow_cli
from stepwell.commands.flow_cli import command_group
from stepwell.commands.main import COMMANDS, OF_FLOWS, stepwell
from stepwell.commands.on_file import OnFile
from stepwell.suggesting import did_you_mean


@project(name="small")
class Small(FlowSpec):
    """A flow."""

    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


FLOW = command_group(Small, Path("flow.py"))
STARTS = {"stepwell": stepwell, "python flow.py": FLOW}


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """The contexts of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, parent=context, info_name=name, max_content_width=80))


EVERY = [
    pytest.param(found, id=found.command_path)
    for name, group in STARTS.items()
    for found in commands(group, click.Context(group, info_name=name, terminal_width=80, **group.context_settings))
]


def shown_by(context: click.Context) -> list[str]:
    """The commands among the examples of a help, without the remarks behind them."""
    _, _, below = context.get_help().partition("Examples:\n")
    return [line.strip().split("   ")[0] for line in below.splitlines()]


@pytest.mark.parametrize("context", EVERY)
def test_every_help_fits_a_terminal_and_every_command_shows_examples(context: click.Context) -> None:
    text = context.get_help()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert isinstance(context.command, click.Group) or shown_by(context)


@pytest.mark.parametrize("context", EVERY)
def test_every_example_is_a_command_that_there_is(context: click.Context) -> None:
    for line in shown_by(context):
        for start, group in STARTS.items():
            if line.startswith(start):
                assert list(unknown_options(group, line.removeprefix(start))) == []


def unknown_options(command: click.Command, line: str) -> Iterator[str]:
    """The options of a line that neither its command nor one before it has; those for a flow file may be any."""
    known = {"--help"}
    for word in shlex.split(line.partition(">")[0]):
        known |= {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        if isinstance(command, click.Group) and not word.startswith("-"):
            command = command.get_command(click.Context(command), word) or command
        elif isinstance(command, OnFile):
            return
        elif word.startswith("--") and word not in known:
            yield word


def test_the_nearest_known_name_is_suggested() -> None:
    assert did_you_mean("rnu", ["new", "run"]) == " Did you mean 'run'?"
    assert did_you_mean("squares", ["Squares", "Cubes"]) == " Did you mean 'Squares'?"
    assert did_you_mean("absent", ["run"]) == ""


@pytest.mark.parametrize(
    ("group", "words", "says"),
    [
        pytest.param(stepwell, ["list"], "No such command 'list'. Did you mean 'ls'?", id="command"),
        pytest.param(FLOW, ["tag", "ad"], "No such command 'ad'. Did you mean 'add'?", id="command below"),
        pytest.param(
            FLOW,
            ["run", "--metadata", "local"],
            "It stands before the command: flow.py --metadata ... run",
            id="too late",
        ),
        pytest.param(
            FLOW, ["--fresh", "run"], "Options of a command stand behind it: flow.py COMMAND --fresh", id="too early"
        ),
    ],
)
def test_a_mistyped_line_says_what_was_meant(
    group: click.Group, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        group.main(words, prog_name="flow.py", standalone_mode=False)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_the_tab_key_goes_on_with_paths(in_project: Callable[[], Project]) -> None:
    here = in_project()
    here.flow("@step\ndef start(self):\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    here.run()

    def offered(*words: str) -> list[str]:
        found = ShellComplete(stepwell, {}, "stepwell", "").get_completions(list(words[:-1]), words[-1])
        return [one.value for one in found]

    assert offered("show", "") == ["TestFlow", "TestFlow/1"]
    assert offered("show", "TestFlow/1/s") == ["TestFlow/1/start", "TestFlow/1/start/t0"]
    assert offered("dump", "TestFlow/1/end/") == ["TestFlow/1/end/t0"]
    assert offered("rm", "TestFlow/") == ["TestFlow/1"]
    assert offered("ls", "Absent/") == []


def test_the_tab_key_goes_on_with_what_a_flow_file_knows(a_users_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Project(a_users_own)
    monkeypatch.chdir(here.path)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    here.flow(
        """
        alpha = Parameter("alpha", default=0.5)
        print("a flow file may print")

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    here.write("import absent", "broken.py")

    def offered(*words: str) -> list[str]:
        found = ShellComplete(stepwell, {}, "stepwell", "").get_completions(list(words[:-1]), words[-1])
        return [one.value for one in found]

    assert offered("run", "flow.py", "--al") == ["--alpha"]
    assert offered("run", "--with", "retry", "flow.py", "--max-n") == ["--max-num-splits"]
    assert offered("resume", "flow.py", "--jobs", "") == ["adopt", "stop"]
    assert offered("graph", "flow.py", "--format", "m") == ["mermaid"]
    assert offered("run", "--data") == ["--datastore", "--datastore-root"]
    assert [offered("run", "broken.py", "--"), offered("run", "absent.py", "--")] == [[], []]


def test_the_tab_key_offers_files_where_a_flow_file_belongs() -> None:
    for words in (["run"], ["run", "--with", "retry"], ["run", "--datastore"]):
        (found,) = ShellComplete(stepwell, {}, "stepwell", "").get_completions(words, "fl")
        assert (found.type, found.value) == ("file", "fl")


def test_a_command_that_only_flows_have_is_shown_with_a_flow(tmp_path: Path) -> None:
    done = Project(tmp_path).stepwell("tag", "list")
    assert done.returncode == 2
    assert "'tag' is a command of a flow: python FLOW.py tag" in done.stderr
    assert not OF_FLOWS & set(COMMANDS)
    assert set(flow_cli.COMMANDS) >= OF_FLOWS


@pytest.mark.parametrize("path", ["Squares", "Squares/1/a/t0/x/y"])
def test_a_path_that_cannot_be_shown_says_what_can(tmp_path: Path, path: str) -> None:
    done = Project(tmp_path).stepwell("show", path)
    assert done.returncode == 1
    assert f"'{path}' is no path of a run, a step or a task" in done.stderr
    assert "stepwell ls Squares lists the runs" in done.stderr
