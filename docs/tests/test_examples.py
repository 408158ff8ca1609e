"""Every Python example of every README runs as it is written, alone; links lead somewhere. `test_pages` follows docs/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = sorted([ROOT / "README.md", *ROOT.glob("libs/*/*.md"), *ROOT.glob("apps/*/*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLES = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    if ROOT / "docs" not in page.parents
    for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
]
PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml"))


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_example_runs(text: str, tmp_path: Path) -> None:
    """As a file in an empty directory; a flow is run."""
    (tmp_path / "example.py").write_text(text, encoding="utf-8")
    arguments = ["run"] if "(FlowSpec)" in text else []
    environment = {**os.environ, "STEPWELL_CONFIG_DIR": str(tmp_path / "config"), "STEPWELL_USER": "reader"}
    done = subprocess.run(
        [sys.executable, "example.py", *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_has_an_example_in_its_readme(package: Path) -> None:
    assert BLOCK.search((package / "README.md").read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []
