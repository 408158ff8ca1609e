"""Requests to a metadata service and their repetition. The only module that touches requests.

Connections are kept and shared by threads; none crosses a fork. Proxies and certificate bundles are taken from the environment as
requests does, but ``~/.netrc`` is not: it would replace the headers that the store was given.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import attrs

from meta_client import forking
from meta_client.errors import (
    InvalidAnswer,
    InvalidRequest,
    MetaClientError,
    ServiceUnavailable,
    StoreClosed,
    UnknownScheme,
    UntrustedService,
)
from meta_client.retrying import ALWAYS, Fate, pause_s
from meta_client.service_answers import Answer

if TYPE_CHECKING:
    import requests

_CONNECTIONS = 16
_LONGEST_CONNECT_S = 10.0
_AWAY = {429: Fate.NOT_DONE, 502: Fate.UNKNOWN, 503: Fate.REFUSED, 504: Fate.UNKNOWN}

Query = Mapping[str, str | int]


@attrs.frozen
class _Trouble:
    """A try without a proper answer; ``passing`` where another may fare better."""

    error: MetaClientError
    fate: Fate
    passing: bool = True
    headers: Mapping[str, str] = attrs.field(factory=dict)


class ServiceHttp:
    """The service at ``url``, as requests reach it.

    ``timeout``: seconds that a try waits for the connection (at most 10) and then for each part of the answer;
    None waits for an answer as long as it takes.
    ``retry_for``: seconds for which a request is tried again while the service is away; 0 tries once.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: float | None,
        retry_for: float,
        session: requests.Session | None,
    ) -> None:
        self.url = _checked_url(url)
        self._headers = {"User-Agent": "stepwell-meta-client", **_checked_headers(headers)}
        self._timeout = (_LONGEST_CONNECT_S if timeout is None else min(timeout, _LONGEST_CONNECT_S), timeout)
        self._retry_for = retry_for
        self._given, self._session = session, session
        self._inherited: list[requests.Session] = []
        self._lock = threading.Lock()
        self._closed = False
        forking.watch(self)

    def get(self, *path: object, query: Query | None = None) -> Answer:
        """Ask; ``path`` in segments."""
        return self.send("GET", path, query=query)

    def post(self, *path: object, body: object, repeat: frozenset[Fate] = ALWAYS) -> Answer:
        """Have something created; ``repeat`` tells after what fates of a try the next may follow."""
        return self.send("POST", path, body=body, repeat=repeat)

    def send(
        self,
        method: str,
        path: Iterable[object],
        *,
        query: Query | None = None,
        body: object = None,
        repeat: frozenset[Fate] = ALWAYS,
        text: bool = False,
    ) -> Answer:
        """The answer, whatever its status, unless that tells the service to be away; ``text`` where it may be other than JSON.

        Raises `ServiceUnavailable`, `InvalidAnswer`, `Denied`, `SchemaTooOld`, `UntrustedService`, `StoreClosed`.
        """
        target = self.url + "".join(f"/{quote(str(part), safe='')}" for part in path)
        give_up_at = time.monotonic() + self._retry_for
        tries, doubtful = 0, False
        while True:
            outcome = self._try(method, target, query, body, text)
            if isinstance(outcome, Answer):
                return attrs.evolve(outcome, doubtful=doubtful)
            tries, doubtful = tries + 1, doubtful or outcome.fate is Fate.UNKNOWN
            pause = pause_s(tries, outcome.headers)
            if not outcome.passing or outcome.fate not in repeat or time.monotonic() + pause > give_up_at:
                raise outcome.error
            time.sleep(pause)

    def close(self) -> None:
        """Close connections; a session that was given stays open. Again does nothing."""
        with self._lock:
            self._closed = True
            if self._session is not None and self._session is not self._given:
                self._session.close()

    def before_fork(self) -> None:
        """Nothing needs to wait: the child leaves the connections alone."""

    def after_fork_in_parent(self) -> None:
        """Nothing changed."""

    def after_fork_in_child(self) -> None:
        """Connect anew at the next call. The old session is kept, unused: to finalise it would take the parent's locks."""
        self._lock = threading.Lock()
        if self._session is not None:
            self._inherited.append(self._session)
            self._session = None

    def _try(self, method: str, target: str, query: Query | None, body: object, text: bool) -> Answer | _Trouble:
        import requests

        where = f"{method} {target}"
        session = self._live_session()
        try:
            response = session.request(
                method,
                f"{target}?{urlencode(query)}" if query else target,
                data=None if body is None else json.dumps(body).encode(),
                headers=self._headers if body is None else {**self._headers, "Content-Type": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
                auth=session.auth or _as_it_is,
            )
        except requests.RequestException as error:
            trouble = _understood(error, where, self.url)
            trouble.error.__cause__ = error
            return trouble
        except OSError as error:  # requests raises it bare where the file of authorities does not exist
            raise UntrustedService(where, str(error)) from error
        return _judged(Answer.read(where, response.status_code, response.headers, response.content), text)

    def _live_session(self) -> requests.Session:
        with self._lock:
            if self._closed:
                raise StoreClosed(self.url)
            if self._session is None:
                self._session = _new_session() if self._given is None else copy.deepcopy(self._given)
            return self._session


def _new_session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that changes nothing, so that requests does not look for some in ``~/.netrc``."""
    return request


def _judged(answer: Answer, text: bool) -> Answer | _Trouble:
    """The answer, unless it tells of trouble. Raises what no repetition mends."""
    if error := answer.refusal():
        raise error
    if answer.status in _AWAY:
        away = _away(answer.where, f"status {answer.status}: {answer.message()}", _AWAY[answer.status])
        return attrs.evolve(away, headers=answer.headers)
    if answer.status < 300 and not answer.is_json and (answer.is_page or not text):
        return _Trouble(answer.invalid(), Fate.UNKNOWN, passing=not answer.is_page)
    return answer


def _understood(error: Any, where: str, url: str) -> _Trouble:
    import requests

    match error:
        case requests.exceptions.SSLError() if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return _Trouble(UntrustedService(where, _root(error)), Fate.NOT_DONE, passing=False)
        case requests.ConnectTimeout():
            return _away(where, "no connection in time", Fate.NOT_DONE)
        case requests.Timeout():
            return _away(where, "no answer in time", Fate.UNKNOWN)
        case requests.exceptions.ProxyError():
            return _away(where, f"the proxy fails ({_root(error)})", Fate.NOT_DONE)
        case requests.ConnectionError():
            return _away(where, _root(error), _fate(error))
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return _Trouble(InvalidAnswer(where, "the answer was cut off"), Fate.UNKNOWN)
        case requests.exceptions.InvalidURL(request=None) if not isinstance(error, requests.exceptions.InvalidProxyURL):
            return _Trouble(UnknownScheme(url), Fate.NOT_DONE, passing=False)
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():  # our own was understood
            problem = f"the proxy that the environment names cannot be used ({_root(error)})"
            return attrs.evolve(_away(where, problem, Fate.NOT_DONE), passing=False)
        case _:
            return attrs.evolve(_away(where, _root(error), Fate.UNKNOWN), passing=False)


def _away(where: str, problem: str, fate: Fate) -> _Trouble:
    return _Trouble(ServiceUnavailable(where, problem, maybe_done=fate is not Fate.NOT_DONE), fate)


def _fate(error: Any) -> Fate:
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return Fate.NOT_DONE if isinstance(reason, NewConnectionError) else Fate.UNKNOWN


def _root(error: Any) -> str:
    """What happened at the bottom: the layers above wrap the same in their own words."""
    wrapped = error.args[0] if error.args else error
    reason = getattr(wrapped, "reason", wrapped)
    return str(reason.args[-1] if isinstance(reason, Exception) and reason.args else reason)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as error:
        raise UnknownScheme(url) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise UnknownScheme(url)
    if parts.query or parts.fragment or parts.username is not None:
        raise InvalidRequest("url", parts.hostname, "give it without '?', '#' and credentials; those go into headers")
    return url.rstrip("/")


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not isinstance(value, str) or not (value.isascii() and value.isprintable() and value == value.strip()):
            raise InvalidRequest(
                "headers", name, "a header's value must be printable ASCII text, without blanks around it"
            )
    return dict(headers)
