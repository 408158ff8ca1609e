"""Two ways to reach every copy of a thing in moto."""

from __future__ import annotations

import sys
from typing import Any


def replace_function(name: str, function: Any) -> None:
    """Put ``function`` in place of ``name`` in each loaded module of moto: they import each other's functions by name."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("moto.") and name in vars(module):
            setattr(module, name, function)
