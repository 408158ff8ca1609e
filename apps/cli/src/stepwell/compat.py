"""`import stepwell.compat` above a flow's other imports: `from metaflow import ...` gives stepwell from there on.

For a team in transition. What stepwell does not have fails at its import, and says so.
"""

from __future__ import annotations

import sys

import stepwell
from stepwell import exception
from stepwell.errors import StepwellError

_found = sys.modules.get("metaflow")
if _found is not None and _found is not stepwell:
    raise StepwellError("metaflow is imported already: put 'import stepwell.compat' above everything that imports it")

sys.modules["metaflow"] = stepwell
sys.modules["metaflow.exception"] = exception
