"""Trying again: exponential backoff with full jitter per call, and a budget that all calls of a backend share.

A store that is down is asked a bounded number of times, not by every call its full number (the token bucket of the AWS SDKs'
standard mode): each retry takes from the budget, each success gives a little back.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

R = TypeVar("R")


@attrs.frozen
class RetryPolicy:
    """How often and how long. Seconds throughout; ``budget`` counts retries over all calls, refilled by one per ten successes."""

    attempts: int = 6
    first_wait: float = 0.1
    longest_wait: float = 10.0
    budget: float = 200.0


class Retrying:
    """Runs calls under one policy and one budget; safe to share between threads."""

    def __init__(self, policy: RetryPolicy, sleep: Callable[[float], None] = time.sleep) -> None:
        self.policy = policy
        self._sleep = sleep
        self._left = policy.budget
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: the same policy, with a budget of their own."""
        return type(self), (self.policy, self._sleep)

    def call(self, act: Callable[[], R], passing: Callable[[Exception], bool]) -> R:
        """What ``act`` gives; called again after errors that ``passing`` says may pass. The last error is raised."""
        attempt = 0
        while True:
            try:
                result = act()
            except Exception as error:
                attempt += 1
                if not passing(error) or attempt >= self.policy.attempts or not self._take():
                    raise
                limit = min(self.policy.longest_wait, self.policy.first_wait * 2 ** (attempt - 1))
                self._sleep(limit * (0.5 + random.random() / 2))
            else:
                self._give_back()
                return result

    def _take(self) -> bool:
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def _give_back(self) -> None:
        if self._left < self.policy.budget:
            with self._lock:
                self._left = min(self.policy.budget, self._left + 0.1)
