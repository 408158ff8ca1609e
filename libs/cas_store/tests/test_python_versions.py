"""What one Python version wrote, another reads: golden stores of several versions, and whatever interpreters are found here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cas_store import ContentStore, LocalBackend, ObjectStore, Reference
from python_versions import same, values

HERE = Path(__file__).parent
GOLDEN = sorted(path.name for path in (HERE / "data").glob("python-3.*"))
OTHERS = [f"3.{minor}" for minor in range(10, 15) if minor != sys.version_info.minor]


def check(root: Path, references: str) -> None:
    objects = ObjectStore(ContentStore(LocalBackend(root)))
    kept = {name: Reference.from_json(data) for name, data in json.loads(references).items()}
    assert kept.keys() == values().keys()
    for name, value in values().items():
        assert same(objects.load(kept[name]), value), name


def test_there_are_golden_stores_of_other_versions() -> None:
    assert len(set(GOLDEN) - {f"python-3.{sys.version_info.minor}"}) >= 2


@pytest.mark.parametrize("version", GOLDEN)
def test_a_golden_store_of_another_version_is_read(version: str, tmp_path: Path) -> None:
    shutil.copytree(HERE / "data" / version, tmp_path / "root")
    check(tmp_path / "root", (HERE / "data" / version / "references.json").read_text())


def test_what_this_version_writes_it_reads(tmp_path: Path) -> None:
    written = subprocess.run(
        [sys.executable, str(HERE / "python_versions.py"), str(tmp_path)], capture_output=True, text=True, check=True
    )
    check(tmp_path, written.stdout)
