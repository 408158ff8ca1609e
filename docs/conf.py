"""The site: every Markdown page of the repository that a user reads, and references made from docstrings and `--help`.

The repository's root is the source folder, so that a link between two pages works on the site as it does beside the code:

    sphinx-build -W -c docs . docs/_build
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # for reference_flow

project = "stepwell"
author = "the stepwell engineers"
root_doc = "docs/index"

include_patterns = ["docs/**.md", "libs/*/*.md", "apps/*/*.md", "README.md"]
exclude_patterns = [".*", "**/.*", "**/tests", "**/src", "docs/_build", "build", "dist"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "sphinxcontrib.mermaid"]
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing"
]  # a link to a folder or a source file: docs/tests checks that it leads somewhere

default_role = "code"  # docstrings write `name` for code
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = "stepwell"
html_show_sourcelink = False


def fences_to_blocks(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings fence their examples as Markdown does; autodoc reads reStructuredText."""
    converted: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("```"):
            converted += [] if inside else ["", f".. code-block:: {line.removeprefix('```') or 'text'}", ""]
            inside = not inside
        else:
            converted.append("    " + line if inside else line)
    lines[:] = converted


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", fences_to_blocks)
