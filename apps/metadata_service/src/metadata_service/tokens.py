"""Who may ask: tokens from a file, read-only and read-write, that can be exchanged while the service runs.

A line of the file is ``read-only TOKEN`` or ``read-write TOKEN``; empty lines and those that begin with ``#`` say nothing. The
file is looked at with every request, and read again when it has changed. If it is then gone or no such file, the last
tokens stay in force and the log says why.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path

import attrs

from metadata_service.errors import BadTokensFile, Forbidden, Unauthenticated

logger = logging.getLogger("metadata_service")

SHORTEST = 16  # characters: what is shorter can be guessed
_RIGHTS = {"read-only": False, "read-write": True}


@attrs.frozen
class Token:
    """The SHA-256 of a token, and whether it lets write."""

    digest: bytes
    writes: bool


class Tokens:
    """The tokens of a file. Raises `BadTokensFile` when made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _identity(path)
        self._tokens = read_tokens(path)

    def check(self, authorization: str, api_key: str | None, *, writing: bool) -> None:
        """Let a request with these headers pass, or raise `Unauthenticated` or `Forbidden`."""
        found = self._known(_presented(authorization, api_key))
        if writing and not found.writes:
            raise Forbidden

    def _known(self, presented: str | None) -> Token:
        self._refresh()
        if presented is None:
            raise Unauthenticated("a token is needed: send it as `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`")
        digest, found = _digest(presented), None
        for token in self._tokens:  # all of them, so that the time tells nothing
            if hmac.compare_digest(token.digest, digest):
                found = token
        if found is None:
            raise Unauthenticated("the token is not known (any more): ask for a new one")
        return found

    def _refresh(self) -> None:
        seen = _identity(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._tokens = read_tokens(self._path)
        except BadTokensFile as error:
            logger.error("%s. The last tokens stay in force", error)


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens of a file. Raises `BadTokensFile`."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise BadTokensFile(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise BadTokensFile(path, "tokens are ASCII text") from error
    tokens = tuple(
        _read(path, place, line.split())
        for place, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    )
    if not tokens:
        raise BadTokensFile(path, "there is no token in it, so nobody could ask anything")
    return tokens


def _read(path: Path, place: int, words: list[str]) -> Token:
    if len(words) != 2 or words[0] not in _RIGHTS:
        raise BadTokensFile(path, f"line {place} is neither `read-only TOKEN` nor `read-write TOKEN`")
    if len(words[1]) < SHORTEST:
        raise BadTokensFile(path, f"the token in line {place} is shorter than {SHORTEST} characters")
    return Token(_digest(words[1]), _RIGHTS[words[0]])


def _presented(authorization: str, api_key: str | None) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else api_key


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
