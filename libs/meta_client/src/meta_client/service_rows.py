"""Rows of bulk requests, and how many of them fit into one body."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from meta_client.records import Artifact, Metadatum

LARGEST_BODY = 512 * 1024
"""Bytes of a body: proxies often refuse more than a megabyte."""

_PLACE = ("flow_id", "run_number", "step_name", "task_id")
_GIVEN_BY_STORE = ("id", "ts_epoch")

Row = dict[str, Any]


def artifact_row(artifact: Artifact) -> Row:
    """An artifact to register; its tags are the run's."""
    return _without(attrs.evolve(artifact, unknown={}).to_wire(), (*_PLACE, *_GIVEN_BY_STORE, "tags", "system_tags"))


def metadatum_row(metadatum: Metadatum) -> Row:
    """A metadatum to register."""
    return _without(attrs.evolve(metadatum, unknown={}).to_wire(), (*_PLACE, *_GIVEN_BY_STORE))


def not_among(rows: Iterable[Row], present: Iterable[Row]) -> list[Row]:
    """The rows without those that are present; of equal ones as many fewer as are present."""
    counted = Counter(map(_canonical, present))
    missing = []
    for row in rows:
        if counted[_canonical(row)] > 0:
            counted[_canonical(row)] -= 1
        else:
            missing.append(row)
    return missing


def bodies(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in lists that stay within `LARGEST_BODY`; a row that is larger alone goes alone."""
    body: list[Row] = []
    size = 0
    for row in rows:
        row_size = len(json.dumps(row)) + 2
        if body and size + row_size > LARGEST_BODY:
            yield body
            body, size = [], 0
        body.append(row)
        size += row_size
    if body:
        yield body


def _without(row: Row, keys: Sequence[str]) -> Row:
    return {key: value for key, value in row.items() if key not in keys}


def _canonical(row: Row) -> str:
    return json.dumps(row, sort_keys=True)
