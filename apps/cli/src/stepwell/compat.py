"""`import stepwell.compat` above a flow's other imports: `from metaflow import ...` gives stepwell from there on.

For a team in transition. What stepwell does not have fails at its import, and says so.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import stepwell
from stepwell import exception
from stepwell.absent import refusal
from stepwell.errors import StepwellError

_INNER = ("client", "client.core", "flowspec", "includefile", "metaflow_current", "parameters")
"""Modules of Metaflow from which scripts import what is at the top, too."""
_ABSENT = {"cards": "card", "datatools": "S3", "plugins.cards": "card", "plugins.datatools": "S3"}
"""Modules of what is absent here, and what that is."""


class _AbsentModule(ModuleType):
    """A module whose names say at their import what to do instead."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(refusal(_ABSENT[self.__name__.partition(".")[2]]))


_found = sys.modules.get("metaflow")
if _found is not None and _found is not stepwell:
    raise StepwellError("metaflow is imported already: put 'import stepwell.compat' above everything that imports it")

sys.modules["metaflow"] = stepwell
sys.modules["metaflow.exception"] = exception
sys.modules.update({f"metaflow.{name}": stepwell for name in _INNER})
sys.modules.update({f"metaflow.{name}": _AbsentModule(f"metaflow.{name}") for name in _ABSENT})
