"""The CloudFormation template: sound, and its policies allow what is called by whom, and nothing else.

What the tests of this folder call on the rigs is compared with them after the last test (`conftest.py`).
"""

from __future__ import annotations

from policies import CALLERS, TEMPLATE, allowed, template


def test_the_template_is_sound() -> None:
    from cfnlint.api import lint_file

    assert [str(finding) for finding in lint_file(TEMPLATE)] == []


def test_no_permission_is_spare_and_none_is_missing() -> None:
    called = {role: set().union(*parts.values()) for role, parts in CALLERS.items()}
    assert allowed(template()) == called


def test_the_output_is_a_configuration_file() -> None:
    from stepwell.config import SETTINGS, parse_config

    text = template()["Outputs"]["Configuration"]["Value"]["Fn::Sub"]
    assert set(parse_config(text, "the output")) <= set(SETTINGS)
