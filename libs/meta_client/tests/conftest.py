"""A service that answers by a script, and a store on it."""

import contextlib

import pytest
from http_servers import Script, serving
from meta_client import ServiceStore


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
    return open_service(retry_for=20.0, timeout=20.0)
