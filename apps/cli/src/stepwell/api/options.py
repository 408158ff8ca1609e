"""What a command line says about the flow itself. It goes along to every interpreter that reads the flow again."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

VARIABLE = "STEPWELL_FLOW_OPTIONS"


@attrs.frozen
class FlowOptions:
    """`added` are the decorators for all steps that lack them, as text (`--with`).

    `branch` and `production` say where a run of a flow with `@project` belongs, `namespace` what the Client API shows in its
    steps: "" everything, None what belongs to the run's user.
    """

    added: tuple[str, ...] = ()
    branch: str | None = None
    production: bool = False
    namespace: str | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The artifacts that the added decorators name, as `catch:var=failure` does: they assign them."""
        pairs = (pair.strip() for text in self.added for pair in text.partition(":")[2].split(","))
        return tuple(pair.partition("=")[2].strip(' "') for pair in pairs if pair.startswith("var="))

    def to_environment(self) -> dict[str, str]:
        """The variable in which a task's interpreter finds them; none where nothing was said."""
        given = {name: value for name, value in attrs.asdict(self).items() if value not in ((), None, False)}
        return {VARIABLE: json.dumps(given, separators=(",", ":"))} if given else {}


def read_options(environment: Mapping[str, str]) -> FlowOptions:
    """What `to_environment` wrote."""
    given = json.loads(environment.get(VARIABLE, "{}"))
    return FlowOptions(**{**given, "added": tuple(given.get("added", ()))})
