"""Tokens: who may read, who may write, and how they are exchanged while the service runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import requests
from metadata_service import Settings, create_app
from metadata_service.errors import BadTokensFile
from metadata_service.tokens import read_tokens
from support import Answer, Api, command, serving

READ, WRITE, NEW = "reader-0123456789", "writer-0123456789", "latest-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n\nread-only {READ}\nread-write {WRITE}\n")
    return path


@pytest.fixture
def guarded(migrated: str, file: Path) -> Api:
    return Api(create_app(Settings(database_url=migrated, tokens_file=file)).test_client())


def ask(api: Api, token: str | None, method: str = "GET", path: str = "/flows", **headers: str) -> Answer:
    sent = {**headers, **({"x-api-key": token} if token is not None else {})}
    return api.send(method, path, headers=sent, **({} if method == "GET" else {"data": b"{}"}))


@pytest.mark.parametrize("token", [None, "", "unknown-0123456789", READ[:-1], READ + " ", f"{READ}\u00e9", "x" * 5_000])
def test_without_a_known_token_nothing_is_told(guarded: Api, token: str | None) -> None:
    for method, path in (("GET", "/flows"), ("POST", "/flows/F"), ("GET", "/nothing"), ("GET", "/metrics")):
        answer = ask(guarded, token, method, path)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "token" in answer.body["message"]


@pytest.mark.parametrize("path", ["/ping", "/version", "/healthz", "/readyz", "/healthcheck"])
def test_probes_need_none(guarded: Api, path: str) -> None:
    assert ask(guarded, None, path=path).status == 200


@pytest.mark.parametrize("token", [READ, WRITE])
def test_both_kinds_read(guarded: Api, token: str) -> None:
    assert ask(guarded, token).status == 200
    assert ask(guarded, None, Authorization=f"Bearer {token}").status == 200
    assert ask(guarded, None, Authorization=f"bearer {token}").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/flows/Tokens"),
        ("POST", "/flows/Tokens/runs/1/heartbeat"),
        ("PATCH", "/flows/Tokens/runs/1/tag/mutate"),
        ("DELETE", "/flows/Tokens/runs/1"),
    ],
)
def test_one_kind_writes(guarded: Api, method: str, path: str) -> None:
    refused = ask(guarded, READ, method, path)
    assert (refused.status, refused.body) == (403, {"message": "this token may only read: use one that may write"})
    assert ask(guarded, WRITE, method, path).status not in (401, 403)


def test_a_proxys_own_credentials_are_not_ours(guarded: Api) -> None:
    assert ask(guarded, READ, Authorization="Basic YTpi").status == 200
    assert ask(guarded, None, Authorization="Basic YTpi").status == 401


def test_tokens_are_exchanged_without_a_restart(guarded: Api, file: Path) -> None:
    assert ask(guarded, NEW).status == 401
    file.with_name("new").write_text(f"read-only {NEW}\n")
    file.with_name("new").rename(file)
    assert ask(guarded, NEW).status == 200
    assert ask(guarded, WRITE).status == 401


@pytest.mark.parametrize("damage", [None, "", "all may pass\n", f"read-write {NEW}\nread-write short\n"])
def test_the_last_tokens_stay_in_force_if_the_file_is_damaged(
    guarded: Api, file: Path, damage: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    with caplog.at_level(logging.ERROR, "metadata_service"):
        assert [ask(guarded, token).status for token in (READ, READ, NEW, None)] == [200, 200, 401, 401]
    assert len(caplog.records) == 1
    assert "The last tokens stay in force" in caplog.text
    assert "short" not in caplog.text.replace("shorter", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no token in it"),
        ("# none\n", "no token in it"),
        (f"{READ}\n", "line 1 is neither"),
        (f"admin {READ}\n", "line 1 is neither"),
        (f"read-only {READ}\nread-only tooshort\n", "the token in line 2 is shorter than 16"),
        ("read-only \u00e90123456789012345\n", "ASCII"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_repeating_a_token(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(BadTokensFile, match=problem) as refused:
        read_tokens(path)
    assert READ not in str(refused.value)


def test_the_service_does_not_start_without_the_tokens_it_was_told_of(migrated: str, tmp_path: Path) -> None:
    done = command("serve", "--port", "0", "--database-url", migrated, "--tokens-file", str(tmp_path / "missing"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: cannot use the tokens of")


def test_every_process_asks_for_them_and_nobody_is_warned(migrated: str, file: Path) -> None:
    with serving("--database-url", migrated, "--tokens-file", str(file), "--host", "0.0.0.0") as service:
        assert service.said.startswith("Serving on")
        url = service.url.replace("0.0.0.0", "127.0.0.1")
        key = {"x-api-key": READ}
        assert {requests.get(f"{url}/flows", headers=key, timeout=120).status_code for _ in range(4)} == {200}
        assert {requests.get(f"{url}/flows", timeout=120).status_code for _ in range(4)} == {401}
        file.write_text(f"read-only {NEW}\n")
        assert {requests.get(f"{url}/flows", headers=key, timeout=120).status_code for _ in range(4)} == {401}
