"""A service that answers by a script, and a store on it."""

import contextlib

import pytest
from http_servers import Script, serving
from hypothesis import HealthCheck, settings
from meta_client import ServiceStore

TIMED = [HealthCheck.too_slow]
settings.register_profile("meta_client", deadline=None, suppress_health_check=TIMED)  # timings never gate a test


def pytest_configure(config):
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("meta_client")


class Clock:
    """The client's pauses between tries take no time, though for the client nothing else does; and things happen meanwhile."""

    def __init__(self):
        self.paused, self._due = 0.0, []

    def at(self, seconds, happen):
        """Have something happen when so many seconds have gone by in pauses."""
        self._due.append((seconds, happen))

    def monotonic(self):
        return self.paused

    def sleep(self, seconds):
        self.paused += seconds
        for due in [due for due in self._due if due[0] <= self.paused]:
            self._due.remove(due)
            due[1]()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("meta_client.service_http.time", clock)
    return clock


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def url(script):
    with serving(script) as url:
        yield url


@pytest.fixture
def open_service(url):
    """Opens a store on the scripted service, with these options."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(ServiceStore(url, **options))


@pytest.fixture
def service(open_service):
    return open_service(retry_for=20.0, timeout=240.0)
