"""The code of a run: kept, written out, compared."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from conftest import Project


@pytest.fixture
def ran(in_project: Callable[[], Project], libraries_here: None) -> Project:
    """A project whose run 1 has a code package, as one with jobs has, and whose run 2 has none."""
    from stepwell.config import load_settings
    from stepwell.deploying.package import upload_package
    from stepwell.execution.records import encode, read_run
    from stepwell.execution.stores import stores_at

    project = in_project()
    file = project.flow("@step\ndef start(self):\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    project.write("x = 1\n", "helper.py")
    project.run()
    project.run()
    stores = stores_at(str(project.path / ".stepwell"))
    digest, url = upload_package(file, stores, load_settings())
    claim = attrs.evolve(read_run(stores.records, "TestFlow", "1"), package=digest, package_url=url)
    stores.records.replace("flows/TestFlow/runs/1/run.json", encode(claim))
    return project


def test_the_code_of_a_run_is_written_out_and_compared(ran: Project) -> None:
    from stepwell import Run

    code = Run("TestFlow/1").code
    assert code is not None
    assert (code.script_name, sorted(code.files)) == ("flow.py", ["flow.py", "helper.py"])
    assert code.flowspec == (ran.path / "flow.py").read_text()
    same = ran.stepwell("code", "diff", "TestFlow/1")
    assert (same.returncode, same.stdout) == (0, "")
    assert ran.stepwell("code", "save", "TestFlow/1", "saved").stdout == "Wrote 2 files of TestFlow/1 into saved\n"
    ran.write("x = 2\n", "helper.py")
    changed = ran.stepwell("code", "diff", "TestFlow/1", "saved")
    assert changed.returncode == 0
    (ran.path / "saved" / "helper.py").write_text("x = 2\n")
    (ran.path / "saved" / "more.py").write_text("y = 1\n")
    changed = ran.stepwell("code", "diff", "TestFlow/1", "saved")
    assert changed.returncode == 1
    assert "--- run/helper.py\n+++ here/helper.py\n" in changed.stdout
    assert "-x = 1\n+x = 2\n" in changed.stdout
    assert "+y = 1\n" in changed.stdout
    again = ran.stepwell("code", "save", "TestFlow/1", "saved")
    assert (again.returncode, "not empty" in again.stderr) == (1, True)


def test_a_run_on_one_machine_has_no_code_package(ran: Project) -> None:
    from stepwell import Run

    assert Run("TestFlow/2").code is None
    done = ran.stepwell("code", "save", "TestFlow/2", "saved")
    assert (done.returncode, "not kept" in done.stderr) == (1, True)
