from __future__ import annotations

import subprocess
import sys
import types

import compute_batch


def test_what_is_public_is_what_all_says() -> None:
    public = {
        name
        for name, value in vars(compute_batch).items()
        if not name.startswith("_") and name != "annotations" and not isinstance(value, types.ModuleType)
    }
    assert public == set(compute_batch.__all__)


def test_errors_have_one_base() -> None:
    errors = [
        value for value in vars(compute_batch).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(errors) == 8
    assert all(issubclass(error, compute_batch.ComputeBatchError) for error in errors)


def test_boto3_is_imported_by_the_first_call_only() -> None:
    script = "import compute_batch, sys; compute_batch.BatchClient('q'); sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
