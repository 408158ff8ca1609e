"""Walk a graph as its tasks finish: what may run now.

State is kept for open scopes only (a split or foreach whose join has not begun): one small number per arm, 2 bytes in
a graph of less than 32,000 steps, which says where in the arm its one active task is, or from where the arm reached the
join. A scope is dropped when its join is planned. Every call takes constant time, but for planning a join, which names
all its parents, and a split, which plans its arms; the tasks of a foreach are made as they are looked at.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

import attrs

from flow_graph.arguments import require
from flow_graph.checking import require_well_formed
from flow_graph.errors import UnexpectedTask
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach, Split, Switch
from flow_graph.outcomes import cardinality_of, choice_of
from flow_graph.tasks import ForeachFrame, Outcome, Path, PlannedTask, TaskName, task_id


@attrs.frozen
class ForeachTasks(Sequence[PlannedTask]):
    """The tasks of a foreach, in item order, made when they are looked at: 100,000 of them cost nothing to plan."""

    step: str
    path: Path
    parent: TaskName
    items: range

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> PlannedTask: ...
    @overload
    def __getitem__(self, index: slice) -> ForeachTasks: ...
    def __getitem__(self, index: int | slice) -> PlannedTask | ForeachTasks:
        if isinstance(index, slice):
            return attrs.evolve(self, items=self.items[index])
        return PlannedTask(self.step, (*self.path, self.items[index]), 0, (self.parent,))

    def __iter__(self) -> Iterator[PlannedTask]:
        parents = (self.parent,)
        return (PlannedTask(self.step, (*self.path, item), 0, parents) for item in self.items)


@attrs.define
class Scope:
    """An open split or foreach (or the flow itself): where each of its arms is.

    `positions[arm]` is the number of the arm's active step, 0 if that step has opened a scope itself, and the number of
    the last step plus `Traversal.reached` once the arm has reached the join. `iterations` has the arms that are in a
    recursive switch for the second time or more.
    """

    join: str | None
    positions: array[int]
    open: int
    iterations: dict[int, int] = attrs.field(factory=dict)


class Traversal:
    """The walk of one run through a graph.

    ```python
    traversal = Traversal(graph)
    waiting = deque(traversal.begin())
    while waiting:
        task = waiting.popleft()
        outcome = run(task)                       # Outcome(), Outcome(cardinality=3) or Outcome(choice="deep")
        waiting.extend(traversal.finish(task, outcome))
    assert traversal.complete
    ```

    `begin` and `finish` give sequences; that of a foreach is lazy (`ForeachTasks`): take tasks from it as there is room
    to run them. Tasks may finish in any order; the tasks planned, and their parents, do not depend on it.
    Raises GraphError if the graph is not well formed.
    """

    def __init__(self, graph: FlowGraph) -> None:
        require_well_formed(graph)
        self.graph = graph
        self.complete = False
        self.running = 0
        """How many tasks are planned and not finished."""
        self.steps = ("", *graph.steps)
        self.number = {step: number for number, step in enumerate(self.steps)}
        self.reached = len(self.steps)
        self.typecode = "H" if 2 * self.reached < 2**16 else "L"
        self.scopes: dict[tuple[str, Path], Scope] = {}

    def begin(self) -> Sequence[PlannedTask]:
        """The first task. To be called once."""
        self.scopes["", ()] = self.open_scope(None, [self.number[self.graph.start]])
        self.running = 1
        return (PlannedTask(self.graph.start, (), 0, ()),)

    def finish(self, task: PlannedTask, outcome: Outcome | None = None) -> Sequence[PlannedTask]:
        """The tasks that are ready now that `task` has finished.

        `outcome` is needed for a foreach (its cardinality) and a switch (its choice). Raises InvalidOutcome if it does
        not fit, and UnexpectedTask if the task is not running; then nothing has changed.
        """
        require(PlannedTask, "The finished task", task, "one of the PlannedTasks that begin() and finish() gave")
        outcome = Outcome() if outcome is None else outcome
        scope, arm = self.find_running(task)
        node = self.graph[task.step]
        match node.transition:
            case Split(targets):
                planned = self.split(task, targets)
                scope.positions[arm] = 0
            case Foreach(target):
                planned = self.foreach(task, target, cardinality_of(node, task.task_id, outcome))
                scope.positions[arm] = 0
            case Switch():
                planned = self.advance(task, scope, arm, choice_of(node, task.task_id, outcome))
            case _ if node.next:
                planned = self.advance(task, scope, arm, node.next[0])
            case _:
                planned = ()
                self.scopes.clear()
                self.complete = True
        self.running += len(planned) - 1
        return planned

    def foreach_frames(self, task: PlannedTask) -> tuple[ForeachFrame, ...]:
        """The foreaches that a running task is inside of, outermost first."""
        frames = []
        for depth, (step, index) in enumerate(zip(self.graph.foreaches(task.step), task.path, strict=True)):
            transition = self.graph[step].transition
            assert isinstance(transition, Foreach)
            width = len(self.scopes[step, task.path[:depth]].positions)
            frames.append(ForeachFrame(step, transition.variable, index, width))
        return tuple(frames)

    # ---- scopes

    def open_scope(self, join: str | None, positions: Sequence[int], times: int = 1) -> Scope:
        """A scope whose arms are at `positions`, repeated."""
        return Scope(join, array(self.typecode, positions) * times, len(positions) * times)

    def locate(self, step: str, path: Path) -> tuple[tuple[str, Path], int]:
        """The key of the innermost scope around a task, and its arm there."""
        arms = self.graph.arms(step)
        if not arms:
            return ("", path), 0
        arm = arms[-1]
        if self.graph[arm.split].kind == "foreach":
            return (arm.split, path[:-1]), path[-1] if path else 0
        return (arm.split, path), arm.index

    def find_running(self, task: PlannedTask) -> tuple[Scope, int]:
        """The scope and the arm of a task that is running. Raises UnexpectedTask."""
        key, arm = self.locate(task.step, task.path)
        scope = self.scopes.get(key)
        if (
            scope is None
            or not 0 <= arm < len(scope.positions)
            or scope.positions[arm] != self.number[task.step]
            or scope.iterations.get(arm, 0) != task.iteration
        ):
            raise UnexpectedTask(task.step, task.task_id)
        return scope, arm

    # ---- transitions

    def split(self, task: PlannedTask, targets: tuple[str, ...]) -> Sequence[PlannedTask]:
        """Open a split."""
        positions = [self.number[target] for target in targets]
        self.scopes[task.step, task.path] = self.open_scope(self.graph.matching_join(task.step), positions)
        return tuple(PlannedTask(target, task.path, 0, (task.name,)) for target in targets)

    def foreach(self, task: PlannedTask, target: str, cardinality: int) -> Sequence[PlannedTask]:
        """Open a foreach."""
        join = self.graph.matching_join(task.step)
        self.scopes[task.step, task.path] = self.open_scope(join, [self.number[target]], cardinality)
        return ForeachTasks(target, task.path, task.name, range(cardinality))

    def advance(self, task: PlannedTask, scope: Scope, arm: int, target: str) -> Sequence[PlannedTask]:
        """Go on within an arm, or reach its join."""
        if target == scope.join:
            scope.positions[arm] = self.reached + self.number[task.step]
            scope.open -= 1
            return () if scope.open else (self.join(task, scope),)
        iteration = task.iteration + 1 if target == task.step else 0
        if iteration:
            scope.iterations[arm] = iteration
        else:
            scope.iterations.pop(arm, None)
        scope.positions[arm] = self.number[target]
        return (PlannedTask(target, task.path, iteration, (task.name,)),)

    def join(self, task: PlannedTask, scope: Scope) -> PlannedTask:
        """Close a scope whose last arm has reached its join, and plan that."""
        join = str(scope.join)
        key, _ = self.locate(task.step, task.path)
        split, path = key
        del self.scopes[key]
        outer_key, outer_arm = self.locate(join, path)
        self.scopes[outer_key].positions[outer_arm] = self.number[join]
        lasts = [self.steps[position - self.reached] for position in scope.positions]
        return PlannedTask(join, path, 0, tuple(map(TaskName, lasts, self.arm_ids(split, path, len(lasts)))))

    def arm_ids(self, split: str, path: Path, width: int) -> Iterator[str]:
        """The task ids in the arms of a scope. No arm ends in a recursive switch, so none has an iteration."""
        if self.graph[split].kind != "foreach":
            return iter([task_id(path)] * width)
        prefix = f"{task_id(path)}-" if path else "t"
        return (f"{prefix}{item}" for item in range(width))
