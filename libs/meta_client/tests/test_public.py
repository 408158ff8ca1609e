"""What the package shows, and what importing it costs."""

import subprocess
import sys

import meta_client


def test_all_names_exist():
    assert dir(meta_client) == sorted(meta_client.__all__)
    assert all(hasattr(meta_client, name) for name in dir(meta_client))
    assert meta_client.__all__ == sorted(meta_client.__all__, key=lambda name: (name[0].islower(), name))


def test_importing_loads_neither_requests_nor_sqlite():
    code = "import sys, meta_client; print([m for m in ('requests', 'urllib3', 'sqlite3', 'http.client') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_is_a_meta_client_error_with_a_docstring():
    errors = [value for value in vars(meta_client).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert errors
    for error in errors:
        assert issubclass(error, meta_client.MetaClientError)
        assert error.__doc__
