"""How late are the flights from New York? Statistics over a year, one task for each month."""

import numpy as np
from flights import read_flights
from stepwell import FlowSpec, Parameter, step


class DelayStats(FlowSpec):
    """Counts and delays of 336,776 flights by airline, worked out month by month and put together in a join."""

    late_after = Parameter(
        "late-after", default=15, help="A flight is late if it arrives more minutes behind schedule."
    )
    bins = np.arange(-90, 1300)

    @step
    def start(self):
        """Read the year's flights and set out its months."""
        flights = read_flights()
        self.carriers = sorted(set(flights["carrier"].tolist()))
        self.month = flights["month"]
        self.carrier = np.searchsorted(self.carriers, flights["carrier"]).astype(np.int8)
        self.delay = flights["arr_delay"]
        self.months = list(range(1, 13))
        print(f"{len(self.delay):,} flights of {len(self.carriers)} airlines")
        self.next(self.measure, foreach="months")

    @step
    def measure(self):
        """Count one month's flights by airline and by minute of delay."""
        of_month = self.month == self.input
        carrier, delay = self.carrier[of_month], self.delay[of_month]
        flown = ~np.isnan(delay)
        shape = (len(self.carriers), len(self.bins))
        self.cancelled = np.bincount(carrier[~flown], minlength=shape[0])
        minute = np.clip(delay[flown].astype(int) - self.bins[0], 0, shape[1] - 1)
        cell = carrier[flown].astype(int) * shape[1] + minute
        self.histogram = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        self.worst = float(np.nanmax(delay))
        print(f"month {self.input}: {flown.sum():,} flown, {(~flown).sum():,} not, worst {self.worst:.0f} min late")
        self.next(self.join)

    @step
    def join(self, inputs):
        """Add the months up."""
        self.histogram = np.sum([one.histogram for one in inputs], axis=0)
        self.cancelled = np.sum([one.cancelled for one in inputs], axis=0)
        self.worst_by_month = [one.worst for one in inputs]
        self.carriers = inputs[0].carriers
        self.next(self.end)

    @step
    def end(self):
        """Say what the year was like."""
        self.flown = self.histogram.sum(axis=1)
        self.mean_delay = self.histogram @ self.bins / self.flown
        reached = np.cumsum(self.histogram, axis=1) >= 0.9 * self.flown[:, None]
        self.ninth_decile = self.bins[np.argmax(reached, axis=1)]
        self.share_late = self.histogram[:, self.bins > self.late_after].sum(axis=1) / self.flown
        self.result = {
            code: {"flown": int(n), "mean": round(float(mean), 1), "p90": int(p90), "late": round(float(late), 3)}
            for code, n, mean, p90, late in zip(
                self.carriers, self.flown, self.mean_delay, self.ninth_decile, self.share_late, strict=True
            )
        }
        print(f"{'airline':8}{'flown':>8}{'not':>7}{'mean':>8}{'90 % within':>13}{'late':>8}")
        for row in np.argsort(self.share_late):
            code, cancelled = self.carriers[row], self.cancelled[row]
            one = self.result[code]
            print(f"{code:8}{one['flown']:8,}{cancelled:7,}{one['mean']:8.1f}{one['p90']:13}{one['late']:8.1%}")


if __name__ == "__main__":
    DelayStats()
