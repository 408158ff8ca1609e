"""Can the arrival be told from the departure? Two methods side by side on the same flights."""

import numpy as np
from flights import read_flights
from stepwell import FlowSpec, Parameter, step


class PredictDelay(FlowSpec):
    """Learns on the first months of 2013, predicts the delays of the rest, by group means and by ridge regression."""

    train_months = Parameter("train-months", default=9, help="Learn on this many months, test on the others.")
    penalty = Parameter("penalty", default=10.0, help="The weight of the ridge.")

    @step
    def start(self):
        """Read the flights that arrived, and part them into training and test."""
        flights = read_flights()
        arrived = ~np.isnan(flights["arr_delay"])
        columns = {name: column[arrived] for name, column in flights.items()}
        self.actual = columns["arr_delay"]
        self.departed_late = columns["dep_delay"]
        self.hour = (columns["sched_dep_time"] // 100).astype(np.int64) % 24
        self.miles = columns["distance"]
        names, self.carrier = np.unique(columns["carrier"], return_inverse=True)
        self.carriers = names.tolist()
        self.is_train = columns["month"] <= self.train_months
        print(f"{self.is_train.sum():,} flights to learn from, {(~self.is_train).sum():,} to predict")
        self.next(self.group_means, self.ridge)

    @step
    def group_means(self):
        """Predict the mean delay of the airline at that hour."""
        group = self.carrier * 24 + self.hour
        train = group[self.is_train]
        counts = np.bincount(train, minlength=len(self.carriers) * 24)
        sums = np.bincount(train, self.actual[self.is_train], minlength=len(counts))
        overall = float(self.actual[self.is_train].mean())
        self.means = (sums + 20 * overall) / (counts + 20)
        self.method = "mean of airline and hour"
        self.predicted = self.means[group[~self.is_train]]
        self.next(self.compare)

    @step
    def ridge(self):
        """Predict by a linear model of departure delay, distance, hour and airline."""
        features = np.column_stack(
            [
                np.ones(len(self.actual)),
                self.departed_late,
                np.maximum(self.departed_late, 0),
                self.miles / 1000,
                np.eye(24)[self.hour],
                np.eye(len(self.carriers))[self.carrier],
            ]
        )
        train = features[self.is_train]
        gram = train.T @ train + self.penalty * np.eye(features.shape[1])
        self.weights = np.linalg.solve(gram, train.T @ self.actual[self.is_train])
        self.method = "ridge regression"
        self.predicted = features[~self.is_train] @ self.weights
        self.next(self.compare)

    @step
    def compare(self, inputs):
        """Measure both against what happened."""
        actual = inputs.ridge.actual[~inputs.ridge.is_train]
        self.result = {}
        for one in inputs:
            error = one.predicted - actual
            self.result[one.method] = {
                "rmse": round(float(np.sqrt(np.mean(error**2))), 2),
                "median_error": round(float(np.median(np.abs(error))), 2),
                "within_15_minutes": round(float(np.mean(np.abs(error) <= 15)), 3),
            }
        self.merge_artifacts(inputs, include=["carriers"])
        self.next(self.end)

    @step
    def end(self):
        """Name the better one."""
        for method, scores in self.result.items():
            print(f"{method:26} rmse {scores['rmse']:6.2f} min   within 15 minutes {scores['within_15_minutes']:.1%}")
        self.best = min(self.result, key=lambda method: self.result[method]["rmse"])
        print(f"better: {self.best}")


if __name__ == "__main__":
    PredictDelay()
