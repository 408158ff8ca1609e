"""Writers beside a sweep: what is met and condemned is written anew. FORMAT.md, "Collection", has the argument."""

from __future__ import annotations

from collections.abc import Callable

from cas_store.backend import Backend, Bytes
from cas_store.digests import Digest


class Renewing:
    """A writer's view of the sweep under way, if any."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def met(self, digest: Digest, stored: Callable[[], Bytes]) -> None:
        """A writer found the digest stored already and is about to rely on that."""
