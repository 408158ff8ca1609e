from __future__ import annotations

import types

import sched_sfn


def test_all_is_what_is_public() -> None:
    public = {
        name
        for name, value in vars(sched_sfn).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert set(sched_sfn.__all__) == public
    assert sched_sfn.__all__ == sorted(sched_sfn.__all__)


def test_every_error_has_one_base() -> None:
    errors = [value for value in vars(sched_sfn).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert all(issubclass(error, sched_sfn.SchedSfnError) for error in errors)
