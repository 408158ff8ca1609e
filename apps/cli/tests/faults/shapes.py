"""The flow that is killed: foreach, retries, nested splits, a loop by switch, each task short. Its tasks say when they run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

FLOW = '''
from stepwell import FlowSpec, current, retry, step


def noted():
    """Append who runs to the side file, in one write."""
    with open("notes", "ab", buffering=0) as notes:
        notes.write(f"{current.step_name}/{current.task_id}\\n".encode())


class Shapes(FlowSpec):
    @step
    def start(self):
        noted()
        self.big = bytes(range(256)) * 1000
        self.groups = [2, 1]
        self.next(self.group, self.side)

    @step
    def side(self):
        noted()
        self.aside = [self.big[0]]
        self.next(self.left, self.right)

    @step
    def left(self):
        noted()
        self.aside = [*self.aside, "left"]
        self.next(self.sides)

    @step
    def right(self):
        noted()
        self.aside = [*self.aside, "right"]
        self.next(self.sides)

    @step
    def sides(self, inputs):
        noted()
        self.aside = [one.aside for one in inputs]
        self.next(self.both)

    @step
    def group(self):
        noted()
        self.next(self.outer, foreach="groups")

    @step
    def outer(self):
        noted()
        self.numbers = [self.input * 10 + at for at in range(self.input)]
        self.next(self.inner, foreach="numbers")

    @retry(times=1, minutes_between_retries=0)
    @step
    def inner(self):
        noted()
        if self.input % 2 and current.retry_count == 0:
            raise RuntimeError("at the second attempt")
        self.square = self.input ** 2
        self.next(self.joined)

    @step
    def joined(self, inputs):
        noted()
        self.total = sum(one.square for one in inputs)
        self.next(self.grouped)

    @step
    def grouped(self, inputs):
        noted()
        self.totals = [one.total for one in inputs]
        self.aside = None
        self.next(self.both)

    @step
    def both(self, inputs):
        noted()
        self.totals, self.aside = inputs.grouped.totals, inputs.sides.aside
        self.rounds = []
        self.next(self.turn)

    @step
    def turn(self):
        noted()
        self.rounds = [*self.rounds, len(self.rounds)]
        self.more = "again" if len(self.rounds) < 3 else "enough"
        self.next({"again": self.turn, "enough": self.end}, condition="more")

    @step
    def end(self):
        noted()
        self.answer = (sum(self.totals), self.aside, self.rounds)


if __name__ == "__main__":
    Shapes()
'''


def notes(directory: Path) -> Counter[str]:
    """How often each task's body has begun, as "step/task"."""
    path = directory / "notes"
    return Counter(path.read_text().split()) if path.exists() else Counter()
