"""What only a real server shows: paths as they are sent, methods, bodies and connections."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from urllib.parse import unquote, urlsplit

import pytest
import requests
from support import Service


def raw(service: Service, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    parts = urlsplit(service.url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_an_encoded_slash_stays_inside_its_segment(service: Service) -> None:
    assert raw(service, "POST", "/flows/a%2Fb", b"{}")[0] == 200
    status, body = raw(service, "GET", "/flows/a%2Fb")
    assert (status, json.loads(body)["flow_id"]) == (200, "a/b")
    assert raw(service, "GET", "/flows/a/b")[0] == 404


@pytest.mark.parametrize("name", ["%E7%81%AB", "a+b", "a%20b", "a%3Fb%23c", "100%25", "%252F", "a;b=c", "..", "a%0Ab"])
def test_names_are_decoded_once(service: Service, name: str) -> None:
    assert raw(service, "POST", f"/flows/{name}", b"{}")[0] in (200, 409)
    assert json.loads(raw(service, "GET", f"/flows/{name}")[1])["flow_id"] == unquote(name)


def test_head_and_options(service: Service) -> None:
    assert raw(service, "HEAD", "/flows") == (405, "")
    assert raw(service, "OPTIONS", "/flows") == (405, "405: Method Not Allowed")


def test_a_heartbeat_without_a_body_or_a_content_type(service: Service) -> None:
    raw(service, "POST", "/flows/Beating", b"{}")
    number = json.loads(raw(service, "POST", "/flows/Beating/run", b"{}")[1])["run_number"]
    for body in (None, b"{}"):
        assert raw(service, "POST", f"/flows/Beating/runs/{number}/heartbeat", body)[0] == 200


def test_a_connection_is_kept_after_an_unread_body(service: Service) -> None:
    parts = urlsplit(service.url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)) as connection:
        for expected in (404, 404, 404):
            connection.request("POST", "/flows/Nowhere/runs/1/heartbeat", b"x" * 10_000)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == expected


def test_a_body_in_chunks(service: Service) -> None:
    chunks = iter([b'{"user_na', b'me": "ann"}'])
    answer = requests.post(f"{service.url}/flows/Chunked", data=chunks, timeout=120)
    assert answer.json()["user_name"] == "ann"


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n", b"2\r\n{}?0\r\n", b"5\r\n{}"], ids=["no size", "no end", "cut off"]
)
def test_chunks_that_are_none_are_the_clients_fault(service: Service, chunks: bytes) -> None:
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as connection:
        connection.sendall(b"POST /flows/Chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert json.loads(answer.read())["message"].startswith("the body cannot be read")


def test_long_paths(service: Service) -> None:
    name = "%E7%81%AB" * 255
    assert raw(service, "GET", f"/flows/{name}/runs/{name}")[0] == 404
    assert raw(service, "GET", f"/flows/{'x' * 20_000}")[0] in (400, 414)
