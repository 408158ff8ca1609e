"""Keyword arguments as the options of a flow's command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# What is spelled differently in Python, and options that are no parameters of a flow.
NAMES = {"tags": "tag", "decospecs": "with", "user_namespace": "namespace"}
OPTIONS = frozenset(
    [
        "tags",
        "decospecs",
        "max_workers",
        "max_num_splits",
        "max_log_size",
        "run_id_file",
        "origin_run_id",
        "origin_datastore",
        "run_id",
        "reentrant",
        "fresh",
        "namespace",
        "user_namespace",
    ]
)
FLAGS = frozenset(["reentrant", "fresh"])


def top_options(given: Mapping[str, Any]) -> list[str]:
    """What stands before the command: `datastore="s3"`, `decospecs=["retry"]`, `quiet=True`."""
    return [word for name, value in given.items() for word in _option(_dashed(name), value, is_flag=True)]


def command_options(given: Mapping[str, Any]) -> list[str]:
    """What stands behind the command: options of `run` and `resume`, and parameters under their own names."""
    words: list[str] = []
    for name, value in given.items():
        if name in OPTIONS:
            words += _option(_dashed(name), value, is_flag=name in FLAGS)
        else:
            words += _option(name, value, is_flag=False)
    return words


def _dashed(name: str) -> str:
    return NAMES.get(name, name).replace("_", "-")


def _option(name: str, value: Any, is_flag: bool) -> list[str]:
    """An option once; a list as the option repeated, a dictionary as JSON, None not at all."""
    if value is None:
        return []
    if is_flag and isinstance(value, bool):
        return [f"--{name}" if value else f"--not-{name}"] if value or name == "quiet" else []
    if isinstance(value, (list, tuple)):
        return [word for one in value for word in _option(name, one, is_flag=False)]
    return [f"--{name}", json.dumps(value) if isinstance(value, dict) else str(value)]
