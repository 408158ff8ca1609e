"""The site of all pages is built, and a warning is an error: a page in no table of contents, a reference to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]


def test_the_site_is_built_without_a_warning() -> None:
    options = ["-W", "--keep-going", "-q", "-c", str(DOCS), str(DOCS.parent), str(DOCS / "_build")]
    built = subprocess.run([sys.executable, "-m", "sphinx", *options], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
