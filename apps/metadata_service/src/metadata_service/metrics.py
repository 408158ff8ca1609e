"""Counts and times of requests, for Prometheus.

Where ``PROMETHEUS_MULTIPROC_DIR`` names a directory (`serving` sees to it), all processes of the service count into it, so
that each answers for all.
"""

from __future__ import annotations

import os

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)
_METHODS = ("GET", "POST", "PATCH", "DELETE")


class Metrics:
    """What one application has answered."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._answers = Counter(
            "metadata_service_requests", "Requests answered.", ["method", "route", "status"], registry=self._own
        )
        self._seconds = Histogram(
            "metadata_service_request_seconds", "Seconds from a request's head to its answer.", ["method", "route"],
            buckets=_BUCKETS_S, registry=self._own,
        )  # fmt: skip

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; ``route`` is a rule, not a path, so that there are few of them."""
        known = method if method in _METHODS else "other"
        self._answers.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    def exposition(self) -> bytes:
        """All figures in Prometheus's text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return prometheus_client.generate_latest(self._own)
        everyones = CollectorRegistry()
        MultiProcessCollector(everyones)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(everyones)
