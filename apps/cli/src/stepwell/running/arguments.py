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
_PAIRS = frozenset(["config", "config_value"])


def top_options(given: Mapping[str, Any]) -> list[str]:
    """What stands before the command: `datastore="s3"`, `decospecs=["retry"]`, `config_value=[("settings", {"a": 1})]`."""
    words: list[str] = []
    for name, value in given.items():
        if name not in _PAIRS:
            words += _option(_dashed(name), value, is_flag=True)
            continue
        pairs = value.items() if isinstance(value, Mapping) else value or ()
        words += [word for key, one in pairs for word in (f"--{_dashed(name)}", key, _text(one))]
    return words


AS_LIST = "--as-list"
"""`--as-list NAME JSON` gives a parameter a list, as only its flow knows whether that is one value or several."""


def command_options(given: Mapping[str, Any], with_parameters: bool = False) -> list[str]:
    """What stands behind the command: options of `run` and `resume`, and parameters under their own names.

    Lists are options repeated; those of parameters are lists (`AS_LIST`), if the command is one `with_parameters`.
    """
    words: list[str] = []
    for name, value in given.items():
        if name in OPTIONS:
            words += _option(_dashed(name), value, is_flag=name in FLAGS)
        elif with_parameters and isinstance(value, (list, tuple)):
            words += [AS_LIST, name, json.dumps(value, default=str)]
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
    return [f"--{name}", _text(value)]


def _text(value: Any) -> str:
    return json.dumps(dict(value)) if isinstance(value, Mapping) else str(value)
