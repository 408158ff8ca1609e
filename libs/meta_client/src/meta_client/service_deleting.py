"""Delete a run on a metadata service: it is gone at once, what is below it in as many requests as that takes."""

from __future__ import annotations

from meta_client.errors import NotFound
from meta_client.paths import in_words, segments
from meta_client.records import Id
from meta_client.service_http import ServiceHttp

_SOME_LEFT = 202


def delete_run(http: ServiceHttp, flow: str, run: Id) -> None:
    """Delete a run; also what an earlier call that broke off has left. Raises `NotFound` and `Unsupported`."""
    begun = False
    while True:
        answer = http.send("DELETE", segments(flow, run))
        if answer.status == 405 or answer.says_no_route:
            raise answer.unsupported("deleting runs")
        if answer.says_missing and not (begun or answer.doubtful):
            raise NotFound(in_words(flow, run))
        if answer.status == 200 or answer.says_missing:
            return
        if answer.status != _SOME_LEFT:
            raise answer.error()
        begun = True
