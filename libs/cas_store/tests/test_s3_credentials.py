"""Credentials that expire while a backend is in use: read anew once, else named in one message."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cas_store import AccessDenied, BackendError, S3Backend, s3_client


class Client:
    """Answers until its credentials expire, which `left` requests away they do."""

    def __init__(self, left: int) -> None:
        self.left, self.asked = left, 0

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.asked += 1
        self.left -= 1
        if self.left < 0:
            error = {"Error": {"Code": "ExpiredToken"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(error, "GetObject")
        return {"Body": io.BytesIO(b"x"), "ContentLength": 1}


def backend(monkeypatch: pytest.MonkeyPatch, *clients: Client) -> S3Backend:
    """A backend whose credentials are those of each client in turn; the last stay."""
    waiting = list(clients)
    monkeypatch.setattr(s3_client, "make_client", lambda *_: waiting.pop(0) if len(waiting) > 1 else waiting[0])
    return S3Backend("s3://bucket/prefix")


def test_fresh_credentials_are_read_where_the_old_ones_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Client(2), Client(10)
    store = backend(monkeypatch, old, new)
    assert [store.read(f"name{number}") for number in range(5)] == [b"x"] * 5
    assert (old.asked, new.asked) == (3, 3)


def test_without_fresh_ones_it_is_one_message_with_profile_action_and_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "team")
    old, still_old = Client(0), Client(0)
    store = backend(monkeypatch, old, still_old)
    with pytest.raises(AccessDenied, match=r"GetObject of some/name in bucket bucket.*profile 'team' have expired"):
        store.read("some/name")
    with pytest.raises(AccessDenied):
        store.read("other")
    assert (old.asked, still_old.asked) == (1, 2)  # nobody is asked again and again


def test_a_client_of_the_callers_is_the_callers_to_renew(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Client(0)
    with pytest.raises(AccessDenied):
        S3Backend("s3://bucket", client=given).read("name")
    assert given.asked == 1


def test_a_backend_below_another_uses_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    only = Client(10)
    store = backend(monkeypatch, only, Client(0))
    assert store.below("objects").read("name") == store.read("name") == b"x"
    assert only.asked == 2
    assert store.below("objects").prefix == "prefix/objects/"


@pytest.mark.parametrize(
    ("profile", "url", "said"),
    [("absent", None, "profile \\(absent\\)"), (None, "nonsense", "Invalid endpoint: nonsense")],
)
def test_a_profile_that_is_not_there_and_a_malformed_url_are_named(
    profile: str | None, url: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    store = S3Backend("s3://bucket/prefix", endpoint_url=url)
    for use in (lambda: store.read("name"), store.warm_up, lambda: list(store.names())):
        with pytest.raises(BackendError, match=f"S3 cannot be asked: .*{said}.*: check the profile"):
            use()
