"""Reads the flights that the example flows work on."""

import csv
import lzma
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "flights-2013.csv.xz"
NUMBERS = ("month", "day", "sched_dep_time", "dep_delay", "arr_delay", "air_time", "distance")


def read_flights(path=DATA):
    """The columns of the data set as arrays: numbers as float32 (NaN where unknown), names as fixed-width strings."""
    with lzma.open(path, "rt", newline="") as lines:
        rows = csv.reader(lines)
        names = next(rows)
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return {
        name: np.array([value or "nan" for value in column], dtype=np.float32)
        if name in NUMBERS
        else np.array(column, dtype="U3")
        for name, column in columns.items()
    }
