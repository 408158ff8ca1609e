"""The public names: all there, and those that are absent say what to do instead."""

from __future__ import annotations

import stepwell
from conftest import Project
from stepwell import exception
from stepwell.absent import INSTEAD
from stepwell.errors import StepwellError


def test_every_public_name_is_there_and_listed_once() -> None:
    assert len(set(stepwell.__all__)) == len(stepwell.__all__)
    assert set(stepwell.__all__) == {*stepwell._HOMES, "__version__"}
    assert dir(stepwell) == sorted(stepwell.__all__)
    for name in stepwell.__all__:
        assert getattr(stepwell, name) is not None
    assert not INSTEAD.keys() & set(stepwell.__all__)


def test_the_exceptions_of_the_other_name_are_ours() -> None:
    for name in set(exception.__all__) - {"MetaflowExceptionWrapper"}:
        assert issubclass(getattr(exception, name), StepwellError)


def test_an_absent_name_says_what_to_do_instead_and_another_one_is_unknown(project: Project) -> None:
    done = project.python("-c", "from stepwell import card")
    assert "does not have 'card': keep what you would show as artifacts" in done.stderr
    done = project.python("-c", "from stepwell import absent_name")
    assert "cannot import name 'absent_name'" in done.stderr
