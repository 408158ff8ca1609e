"""How a wide fan-out becomes arrays that Batch takes. Pure."""

from __future__ import annotations

import itertools

from compute_batch import limits
from compute_batch.errors import InvalidSpec


def slices(size: int, at_once: int | None = None) -> list[range]:
    """The children of each array, in order: as few arrays as can be, of about one size; or arrays of `at_once` children.

    Raises InvalidSpec.
    """
    _check("size", size)
    _check("at_once", 1 if at_once is None else at_once)
    most = limits.ARRAY_SIZES[-1]
    if at_once is not None and 1 < at_once < size:
        width = min(at_once, most)
        return [range(first, min(first + width, size)) for first in range(0, size, width)]
    count = -(-size // most)
    edges = [size * n // count for n in range(count + 1)]
    return [range(first, end) for first, end in itertools.pairwise(edges)]


def _check(name: str, size: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InvalidSpec(name, f"{name} is {size!r}; it is a whole number, 1 at least.")
