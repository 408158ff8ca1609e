"""A flow with every shape of graph, whose result is known beforehand, and which writes down each body that it begins."""

import hashlib
import os
import time
import zlib
from pathlib import Path

import cas_store.renewing
from stepwell import FlowSpec, Parameter, current, retry, step

SIZE = 200_000
cas_store.renewing.REREAD_SECONDS = 5  # collections of the test wait 20 s where others wait an hour


def block(number):
    """Content that other runs write as well: few numbers, so that collection and writers meet."""
    return hashlib.shake_256(str(number).encode()).digest(SIZE)


def begin():
    with Path(os.environ["CHAOS_JOURNAL"]).open("a") as journal:
        journal.write(f"{current.run_id}/{current.step_name}/{current.task_id}\n")
    time.sleep(float(os.environ["CHAOS_PAUSE"]))


class Ledger(FlowSpec):
    """Sums of checksums, and a number of rounds."""

    seed = Parameter("seed", default=0)
    width = Parameter("width", default=4)

    @step
    def start(self):
        begin()
        self.items = list(range(self.width))
        self.own = os.urandom(SIZE)  # garbage, once the run is removed
        self.turn = 0
        self.next(self.fan, self.turns)

    @step
    def fan(self):
        begin()
        self.next(self.work, foreach="items")

    @retry(times=3, minutes_between_retries=0)
    @step
    def work(self):
        begin()
        self.part = block((self.seed + self.input) % 9)
        self.next(self.gather)

    @step
    def gather(self, inputs):
        begin()
        self.total = sum(zlib.crc32(one.part) for one in inputs)
        self.next(self.merge)

    @step
    def turns(self):
        begin()
        self.turn += 1
        self.choice = "again" if self.turn < 2 + self.seed % 2 else "enough"
        self.next({"again": self.turns, "enough": self.settle}, condition="choice")

    @step
    def settle(self):
        begin()
        self.rest = block(9 + self.seed)
        self.next(self.merge)

    @step
    def merge(self, inputs):
        begin()
        self.result = [inputs.gather.total, inputs.settle.turn, zlib.crc32(inputs.settle.rest)]
        self.next(self.end)

    @step
    def end(self):
        begin()


if __name__ == "__main__":
    Ledger()
