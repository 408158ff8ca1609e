"""What a notebook shows of the objects of the Client API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    self.items = list(range(25))
    self.markup = "<script>alert(1)</script>"
    self.large = b"m" * 1_000_000
    self.long = "x" * 10_000
    self.next(self.each, foreach="items")

@step
def each(self):
    self.next(self.join)

@step
def join(self, inputs):
    from odd import Odd
    self.odd = Odd()
    self.next(self.end)

@step
def end(self):
    raise ValueError("<b>broken</b>")
"""


@pytest.fixture
def shown(in_project: Callable[[], Project]) -> Callable[[Any], str]:
    """What a notebook shows of an object, which is well-formed."""
    project = in_project()
    project.flow(BODY)
    project.write("class Odd:\n    pass\n", "odd.py")
    assert project.python("flow.py", "run", "--tag", "<i>", "--max-workers", "2").returncode == 1

    def show(thing: Any) -> str:
        text: str = thing._repr_html_()
        ElementTree.fromstring(text.replace("<br>", "<br/>").replace("&nbsp;", " "))
        assert "<script>" not in text
        return text

    return show


def test_every_level_shows_what_is_below_it_escaped_and_bounded(shown: Callable[[Any], str]) -> None:
    from stepwell import Flow, Metaflow, Run, Step, Task

    assert "<b>1 flow</b>" in shown(Metaflow())
    for whole in (shown(Metaflow()), shown(Flow("TestFlow"))):
        assert "failed</span>" in whole
        assert "<code>&lt;i&gt;</code>" in whole
    assert shown(Run("TestFlow/1")).count("<svg") == 2
    step = shown(Step("TestFlow/1/each"))
    assert ("25 tasks" in step, "<td>t19</td>" in step, "<td>t20</td>" in step, "There are more" in step) == (
        True, True, False, True,
    )  # fmt: skip
    assert "ValueError: &lt;b&gt;broken&lt;/b&gt;" in shown(Task("TestFlow/1/end/t0"))


def test_artifacts_are_loaded_only_where_they_are_small_and_looked_at(
    shown: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from stepwell import Task
    from stepwell.client import tasks

    loaded, load = [], tasks.load_artifact
    monkeypatch.setattr(tasks, "load_artifact", lambda *given: loaded.append(given[-1]) or load(*given))
    start = Task("TestFlow/1/start/t0")
    assert "<td>large</td><td>1.0 MB</td>" in shown(start)
    assert ".data loads it" in shown(start["large"])
    assert loaded == []
    assert "<pre>'&lt;script&gt;alert(1)&lt;/script&gt;'</pre>" in shown(
        start["markup"].__class__(start["markup"].pathspec)
    ).replace("&#x27;", "'")
    assert len(shown(start["long"])) < 3_000
    assert loaded == ["markup", "long"]


def test_a_value_that_cannot_be_shown_says_why(shown: Callable[[Any], str]) -> None:
    from stepwell import DataArtifact

    assert "ArtifactError: The artifact &#x27;odd&#x27; needs code" in shown(DataArtifact("TestFlow/1/join/t0/odd"))


def test_what_is_removed_or_empty_is_shown_too(shown: Callable[[Any], str], in_project: Callable[[], Project]) -> None:
    from stepwell import Flow, Run

    run = Run("TestFlow/1")
    assert in_project().stepwell("rm", "TestFlow/1").returncode == 0
    shown(run)
    assert "removed</span>" in shown(Flow("TestFlow"))
