"""A process that goes on to fork can import everything beforehand."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from cas_store import ContentStore, LocalBackend, ObjectStore
store = ContentStore(LocalBackend(sys.argv[1]))
store.warm_up()
before = set(sys.modules)
objects = ObjectStore(store)
for value in (1, "text " * 1000, bytes(9_000_000), {"a": [1.5] * 1000}):
    assert objects.load(objects.save(value)) == value
print(*(name for name in set(sys.modules) - before))
"""


def test_nothing_is_imported_by_writing_and_reading_after_it(tmp_path: object) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
