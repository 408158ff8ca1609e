"""Forks have no threads but the one that forked: who started others is found and named, but for pools that mend themselves."""

from __future__ import annotations

import pytest
from conftest import Project

STARTED_BY = """
import ctypes, re, sqlite3
libc = ctypes.CDLL(None)
path = {path}
start = getattr(ctypes.CDLL(path), "{routine}")
libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, ctypes.cast(start, ctypes.c_void_p), ctypes.c_void_p(10**8))
"""
IN_SQLITE = 're.search(r"\\\\S+libsqlite3\\\\S+", open("/proc/self/maps").read())[0]'
BODY = """
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""


def with_module(project: Project, source: str) -> str:
    """What a run says whose flow imports a module with this source."""
    project.write(source, "strange.py")
    project.flow(BODY)
    flow = project.path / "flow.py"
    flow.write_text(f"import strange\n{flow.read_text()}")
    return project.run().stderr


@pytest.mark.parametrize(
    ("path", "routine", "owner"),
    [(IN_SQLITE, "sqlite3_sleep", "libsqlite3.so"), ("None", "pause", "an unknown library")],
)
def test_a_native_thread_costs_every_task_an_interpreter_and_is_named(
    project: Project, path: str, routine: str, owner: str
) -> None:
    said = with_module(project, STARTED_BY.format(path=path.replace("\\\\", "\\"), routine=routine))
    (line,) = [line for line in said.splitlines() if "Warning" in line]
    assert "fresh interpreter" in line
    assert f"importing {owner}" in line
    assert "native threads" in line


def test_openblas_mends_itself_at_a_fork(project: Project) -> None:
    project.flow(
        """
        @step
        def start(self):
            self.items = [1, 2, 3]
            self.next(self.each, foreach="items")

        @step
        def each(self):
            a = strange.numpy.ones((600, 600))
            self.trace = float((a @ a).trace())
            self.next(self.join)

        @step
        def join(self, inputs):
            print("traces", [one.trace for one in inputs])
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    project.write(
        "import numpy\na = numpy.ones((600, 600))\na @ a",
        "strange.py",
    )
    flow = project.path / "flow.py"
    flow.write_text(f"import strange\n{flow.read_text()}")
    done = project.run()
    assert "Warning" not in done.stderr
    assert "traces [360000.0, 360000.0, 360000.0]" in done.stdout
