"""The package from outside."""

from __future__ import annotations

import subprocess
import sys

import metadata_service


def test_the_public_names_are_these() -> None:
    assert metadata_service.__all__ == ["MetadataServiceError", "Settings", "create_app"]
    assert all(hasattr(metadata_service, name) for name in metadata_service.__all__)


def test_importing_it_is_light() -> None:
    script = (
        "import sys, metadata_service; print(sorted({'flask', 'psycopg2', 'gunicorn', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_do_not_show_the_password() -> None:
    settings = metadata_service.Settings(database_url="postgresql://user:secret@host/name", prefix="a/b/")
    assert "secret" not in repr(settings)
    assert settings.prefix == "/a/b"
