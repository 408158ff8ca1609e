"""What makes flights late? One large fit on one large machine, then many small ones side by side, to see how sure that is."""

import numpy as np
from flights import read_flights
from stepwell import FlowSpec, Parameter, resources, step

KINDS = ("carrier", "dest", "origin")


def design(flights, rows):
    """A column of zeros and ones for each airline, airport, hour and month; one row for each of these flights."""
    parts, names = [], []
    columns = {kind: flights[kind][rows] for kind in KINDS}
    columns["hour"] = (flights["sched_dep_time"][rows] // 100).astype(int)
    columns["month"] = flights["month"][rows].astype(int)
    for kind, values in columns.items():
        known = np.unique(flights[kind]) if kind in KINDS else np.arange(24 if kind == "hour" else 13)
        parts.append((values[:, None] == known[None, :]).astype(np.float32))
        names += [f"{kind} {value}" for value in known]
    return np.hstack(parts), names


def fit(matrix, delay, strength=100.0):
    """Minutes of delay that go with each column, by ridge regression."""
    gram = matrix.T @ matrix + strength * np.eye(matrix.shape[1], dtype=np.float32)
    return np.linalg.solve(gram, matrix.T @ (delay - delay.mean()))


class DelayCauses(FlowSpec):
    """Scales up for the fit of everything, and out for the fits of resampled flights: on a laptop, or `--with batch`."""

    samples = Parameter("samples", default=8, help="How many samples are drawn and fitted, each by a task of its own.")
    size = Parameter("size", default=20_000, help="Flights in a sample.")

    @step
    def start(self):
        """Read the flights that arrived."""
        flights = read_flights()
        arrived = ~np.isnan(flights["arr_delay"])
        self.flights = {name: column[arrived] for name, column in flights.items()}
        self.next(self.fit_all)

    @resources(cpu=8, memory=16_000)  # up: one machine that holds the whole matrix
    @step
    def fit_all(self):
        """Fit all flights at once."""
        matrix, self.causes = design(self.flights, slice(None))
        self.minutes = fit(matrix, self.flights["arr_delay"])
        print(f"a matrix of {matrix.shape[0]:,} x {matrix.shape[1]}, {matrix.nbytes >> 20} MiB")
        self.seeds = list(range(self.samples))
        self.next(self.fit_sample, foreach="seeds")

    @resources(cpu=1, memory=2_000)  # out: as many small ones as there are samples, one array job on AWS Batch
    @step
    def fit_sample(self):
        """Fit flights drawn with replacement."""
        drawn = np.random.default_rng(self.input).integers(len(self.flights["arr_delay"]), size=self.size)
        matrix, _ = design(self.flights, drawn)
        self.sampled = fit(matrix, self.flights["arr_delay"][drawn])
        self.next(self.join)

    @step
    def join(self, inputs):
        """See how much the samples differ."""
        self.merge_artifacts(inputs, include=["causes", "minutes"])
        self.spread = np.std([one.sampled for one in inputs], axis=0)
        self.next(self.end)

    @step
    def end(self):
        """Name what costs most time."""
        worst = np.argsort(-self.minutes)[:5]
        self.result = {
            self.causes[n]: (round(float(self.minutes[n]), 1), round(float(self.spread[n]), 1)) for n in worst
        }
        for cause, (minutes, spread) in self.result.items():
            print(f"{cause:14} {minutes:+6.1f} min  ± {spread:.1f}")


if __name__ == "__main__":
    DelayCauses()
