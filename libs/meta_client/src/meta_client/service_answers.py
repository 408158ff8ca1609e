"""What a metadata service answered: the JSON, and what is wrong with an answer in words and errors.

Statuses mean what they mean on the wire of the original service: a 404 with ``{}``, a database's error or a heartbeat's pause
says that an object is missing; any other 404 comes from a router that knows no such route, also where it is JSON, as those of
gateways and of other services are. A database's error is JSON inside a JSON string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

import attrs

from meta_client.errors import Denied, InvalidAnswer, MetaClientError, SchemaTooOld, ServiceError, Unsupported

_NO_SUCH_NUMBER = ("22003", "22P02")  # SQLSTATE: an id that is no possible number is answered as a failure
_NO_PARENT = "23503"
_SAID_OF_MISSING = {"err_msg", "wait_time_in_seconds"}
_LONGEST_MESSAGE = 300


_NOT_JSON = object()


@attrs.frozen
class Answer:
    """An answer to one request; ``doubtful`` where an earlier try of it may have been carried out."""

    where: str
    status: int
    headers: Mapping[str, str]
    _value: Any
    _start: str
    doubtful: bool = False

    @classmethod
    def read(cls, where: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer with this body."""
        return cls(
            where, status, headers, _decoded(body), body[: 4 * _LONGEST_MESSAGE].decode(errors="replace").strip()
        )

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self._value is not _NOT_JSON

    @property
    def value(self) -> Any:
        """The body's JSON, and where that is a string that holds JSON, what it holds; raises `InvalidAnswer`."""
        if not self.is_json:
            raise self.invalid()
        return self._value

    @property
    def items(self) -> list[Any]:
        """The list that the body is; raises `InvalidAnswer`."""
        value = self.value
        if not isinstance(value, list):
            raise InvalidAnswer(self.where, f"answered a {type(value).__name__}, not a list")
        return value

    @property
    def is_object(self) -> bool:
        """Whether the body is a JSON object."""
        return _is_object(self._value)

    def count(self, key: str) -> int:
        """How many were added, as the body tells; raises `InvalidAnswer`."""
        found = self.value.get(key) if self.is_object else None
        if not isinstance(found, int):
            raise InvalidAnswer(self.where, "it does not tell how many were added")
        return found

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, as proxies and log-in pages send them."""
        return self._start.startswith("<")

    @property
    def says_missing(self) -> bool:
        """Whether the object does not exist."""
        if self.status == 404:
            return self.is_object and (not self._value or not _SAID_OF_MISSING.isdisjoint(self._value))
        return self.status == 500 and self._sqlstate() in _NO_SUCH_NUMBER

    @property
    def says_no_parent(self) -> bool:
        """Whether what something was to be created below does not exist."""
        return self.status == 404 and self._sqlstate() == _NO_PARENT

    @property
    def says_no_route(self) -> bool:
        """Whether the service does not have that route at all."""
        return self.status in (404, 405) and not self.says_missing and not self.is_page

    def invalid(self) -> InvalidAnswer:
        """The error for an answer that is none."""
        kind = "a web page" if self.is_page else "something that is not JSON, or cut off"
        return InvalidAnswer(self.where, f"status {self.status} with {kind} ({self._excerpt()!r})")

    def error(self) -> MetaClientError:
        """The error for an answer that nobody expects."""
        if self.status == 413:
            return ServiceError(self.where, 413, "what was sent is too large for the service, or for a proxy before it")
        if self.says_no_route:
            return InvalidAnswer(self.where, f"status {self.status}, there is no such route")
        if self.status < 400 or (self.is_page and self.status < 500):
            return self.invalid()
        return ServiceError(self.where, self.status, self.message())

    def unsupported(self, what: str) -> Unsupported:
        """The error for a route that only later services have."""
        return Unsupported(self.where, self.status, f"this service is too old for {what}: upgrade it")

    def refusal(self) -> MetaClientError | None:
        """The error for what can happen to any request: other credentials, a redirection, a database to migrate."""
        if self.status in (401, 403):
            return Denied(self.where, self.status)
        if 300 <= self.status < 400:
            target = self.headers.get("Location", "nowhere")
            return InvalidAnswer(self.where, f"redirects to {target}")
        if self.status >= 400 and _is_object(self._value) and self._value.get("error") == "schema_too_old":
            return _schema_too_old(self._value)
        return None

    def message(self) -> str:
        """What the body says went wrong."""
        found = self._value
        if isinstance(found, str):
            return found[:_LONGEST_MESSAGE]
        if _is_object(found):
            for text in (found.get("message"), self._primary(found), found.get("detail")):
                if isinstance(text, str) and text:
                    return text[:_LONGEST_MESSAGE]
        return self._excerpt() or "no reason given"

    def _sqlstate(self) -> str | None:
        found = self._value.get("err_msg") if _is_object(self._value) else None
        return found.get("pgcode") if _is_object(found) else None

    def _primary(self, found: Mapping[str, Any]) -> str | None:
        error = found.get("err_msg")
        diagnosis = error.get("diag") if _is_object(error) else None
        return diagnosis.get("message_primary") if _is_object(diagnosis) else error if isinstance(error, str) else None

    def _excerpt(self) -> str:
        return " ".join(self._start.split())[:80]


def _decoded(body: bytes) -> Any:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _schema_too_old(body: Mapping[str, Any]) -> SchemaTooOld:
    return SchemaTooOld(
        body.get("have"),
        body.get("need"),
        str(body.get("command") or "metadata-service migrate"),
        str(body.get("message") or ""),
    )
