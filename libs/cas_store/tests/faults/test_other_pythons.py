"""What another Python version writes now, this one reads, and the other way round: for the interpreters found on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cas_store import ContentStore, LocalBackend, ObjectStore, Reference

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
from python_versions import same, values  # noqa: E402

READ = """if True:
    import json, sys
    sys.path.insert(0, sys.argv[2])
    from cas_store import ContentStore, LocalBackend, ObjectStore, Reference
    from python_versions import same, values
    objects = ObjectStore(ContentStore(LocalBackend(sys.argv[1])))
    for name, data in json.load(sys.stdin).items():
        assert same(objects.load(Reference.from_json(data)), values()[name]), name
"""


def interpreters() -> dict[str, str]:
    """Of other minor versions, where uv, the PATH or pyenv have them."""
    versions = [f"3.{minor}" for minor in range(10, 15) if minor != sys.version_info.minor]
    return {version: path for version in versions for path in candidates(version) if is_python(path, version)}


def candidates(version: str) -> Iterator[str]:
    asked = ["uv", "python", "find", "--no-python-downloads", "--system", version]
    if shutil.which("uv"):
        yield subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    yield shutil.which(f"python{version}") or ""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in pyenv.glob(f"versions/{version}.*/bin/python"))


def is_python(path: str, version: str) -> bool:
    """Not every name on the PATH leads to an interpreter."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return said.strip() == version


FOUND = interpreters()


@pytest.fixture(
    scope="module", params=[min(FOUND, default=""), max(FOUND, default="")] if len(FOUND) > 1 else list(FOUND)
)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The oldest and the newest of the others, each with this package."""
    directory = tmp_path_factory.mktemp("other")
    subprocess.run(["uv", "venv", "-q", "--python", FOUND[request.param], str(directory)], check=True)
    python = str(directory / "bin" / "python")
    subprocess.run(["uv", "pip", "install", "-q", "--python", python, str(TESTS.parent)], check=True)
    return python


def test_what_another_version_writes_this_one_reads(other: str, tmp_path: Path) -> None:
    program = [other, str(TESTS / "python_versions.py"), str(tmp_path)]
    written = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    objects = ObjectStore(ContentStore(LocalBackend(tmp_path)))
    for name, value in values().items():
        assert same(objects.load(Reference.from_json(written[name])), value), name


def test_what_this_version_writes_another_one_reads(other: str, tmp_path: Path) -> None:
    objects = ObjectStore(ContentStore(LocalBackend(tmp_path)))
    written = json.dumps({name: objects.save(value).to_json() for name, value in values().items()})
    subprocess.run([other, "-c", READ, str(tmp_path), str(TESTS)], input=written, text=True, check=True)
