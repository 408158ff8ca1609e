"""When tasks ended that did not end well, and their lines as pairs."""

from __future__ import annotations

from conftest import Project

FLOW = """
@retry(times=1, minutes_between_retries=0)
@step
def start(self):
    print("try", current.retry_count)
    raise ValueError("no")
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_task_that_failed_has_an_end_and_so_has_each_of_its_attempts(project: Project) -> None:
    project.flow(FLOW)
    assert project.python("flow.py", "run").returncode == 1
    found = project.client(
        """
        run = Flow("TestFlow").latest_run
        last, first = run["start"].task, Task(run["start"].task.pathspec, attempt=0)
        print(last.finished, last.created_at <= first.finished_at <= last.finished_at)
        print(run["start"].finished_at == last.finished_at, Task(last.pathspec, attempt=4).finished_at)
        """
    )
    assert found.splitlines() == ["True True", "True None"]


def test_a_line_of_a_task_is_a_pair_in_every_way(project: Project) -> None:
    project.flow(FLOW.replace('    raise ValueError("no")\n', ""))
    project.run()
    found = project.client(
        """
        line = Flow("TestFlow").latest_run["start"].task.loglines("stdout")[0]
        when, text = line
        print(line[0] == when, line[1] == line[-1] == text == line.text, len(line), type(when).__name__)
        """
    )
    assert found == "True True 2 datetime"
