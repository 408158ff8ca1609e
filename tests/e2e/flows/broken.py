"""A flow that fails in one item of a foreach until a file says otherwise: code that was mended."""

from pathlib import Path

from stepwell import FlowSpec, step


class Broken(FlowSpec):
    """Fails in `check`, the third item."""

    @step
    def start(self):
        self.items = ["a", "b", "c"]
        self.next(self.check, foreach="items")

    @step
    def check(self):
        self.item = self.input
        if self.item == "c" and not Path("mended").exists():
            raise RuntimeError("the third item cannot be checked")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.checked = [one.item for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Broken()
