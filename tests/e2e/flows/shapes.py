"""Every shape of a graph in one flow: foreach in foreach, a branch beside it, a switch that repeats, a switch in a foreach."""

from stepwell import FlowSpec, IncludeFile, JSONType, Parameter, current, step


class Shapes(FlowSpec):
    """Comes to the same result wherever it runs."""

    unit = "kg"
    rate = Parameter("rate", default=2)
    grid = Parameter("grid", type=JSONType, default='{"depth": [1, 2]}')
    table = IncludeFile("table", default="table.txt")

    @step
    def start(self):
        self.rows = self.table.split()
        self.turn = 0
        self.next(self.outer, self.turns)

    @step
    def outer(self):
        self.next(self.middle, foreach="rows")

    @step
    def middle(self):
        self.row = self.input
        self.kind = "even" if len(self.row) % 2 == 0 else "odd"
        self.next({"even": self.even, "odd": self.odd}, condition="kind")

    @step
    def even(self):
        self.weight = 10 * self.rate
        self.next(self.spread)

    @step
    def odd(self):
        self.weight = self.rate
        self.next(self.spread)

    @step
    def spread(self):
        self.depths = self.grid["depth"]
        self.next(self.leaf, foreach="depths")

    @step
    def leaf(self):
        self.stack = [index for index, _, _ in self.foreach_stack()]
        self.value = (self.row, self.input * self.weight, self.unit)
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.values = [one.value for one in inputs]
        self.merge_artifacts(inputs, include=["row", "kind"])
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.all_values = [value for one in inputs for value in one.values]
        self.kinds = [one.kind for one in inputs]
        self.next(self.join)

    @step
    def turns(self):
        self.turn += 1
        self.choice = "again" if self.turn < 3 else "enough"
        self.next({"again": self.turns, "enough": self.settle}, condition="choice")

    @step
    def settle(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.result = (inputs.outer_join.all_values, inputs.outer_join.kinds, inputs.settle.turn)
        self.merge_artifacts(inputs, include=["rows"])
        self.next(self.end)

    @step
    def end(self):
        print(current.flow_name, self.result)


if __name__ == "__main__":
    Shapes()
