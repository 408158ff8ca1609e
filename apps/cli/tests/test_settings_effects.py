"""What settings of shared mode do: each reaches what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from answering import Asked, answering
from meta_client import NotFound, open_store
from moto import mock_aws
from stepwell import aws_secrets
from stepwell.config import Settings, metadata_url, s3_encryption, service_options
from stepwell.errors import SecretsError, SettingsError
from stepwell.execution.stores import open_stores

REGION = "eu-west-1"


def shared(**more: str) -> Settings:
    return Settings(environment={"STEPWELL_METADATA": "service", **more})


def headers_sent(**more: str) -> dict[str, str]:
    """What the service is sent."""
    with answering() as asked:
        settings = shared(STEPWELL_SERVICE_URL=asked.url, **more)
        with open_store(metadata_url(settings), **service_options(settings)) as store, pytest.raises(NotFound):
            store.get_flow("none")
    return asked.requests[0][2]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    aws_secrets.service_key.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager", region_name=REGION)
    aws_secrets.service_key.cache_clear()


def test_the_key_and_the_headers_reach_the_service() -> None:
    sent = headers_sent(STEPWELL_SERVICE_AUTH_KEY="hush", STEPWELL_SERVICE_HEADERS='{"X-Team": "blue"}')
    assert (sent["x-api-key"], sent["x-team"]) == ("hush", "blue")
    assert "x-api-key" not in headers_sent()


def test_a_token_goes_as_a_header_and_the_users_netrc_does_not_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hers\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    sent = headers_sent(STEPWELL_SERVICE_HEADERS='{"Authorization": "Bearer token"}')
    assert sent["authorization"] == "Bearer token"


@pytest.mark.parametrize("text", ["hush", "hush\n", '{"auth_key": "hush", "more": 1}'])
def test_the_key_can_be_a_secret_of_aws(secrets: Any, text: str) -> None:
    arn = secrets.create_secret(Name="service", SecretString=text)["ARN"]
    options = service_options(shared(STEPWELL_SERVICE_AUTH_SECRET=arn))
    assert options["auth_key"] == "hush"
    given = service_options(shared(STEPWELL_SERVICE_AUTH_SECRET=arn, STEPWELL_SERVICE_AUTH_KEY="given"))
    assert given["auth_key"] == "given"


def test_a_secret_that_cannot_be_had_is_named_and_not_told(secrets: Any) -> None:
    secrets.create_secret(Name="other", SecretString='{"password": "hush"}')
    for name in ("absent", "other"):
        with pytest.raises(SecretsError, match=name) as caught:
            service_options(shared(STEPWELL_SERVICE_AUTH_SECRET=name, STEPWELL_AWS_REGION=REGION))
        assert "hush" not in str(caught.value)


def test_a_secret_is_read_where_the_region_and_the_endpoint_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with answering(200, b'{"SecretString": "hush"}') as asked:
        settings = shared(
            STEPWELL_SERVICE_AUTH_SECRET="service", STEPWELL_AWS_REGION=REGION, STEPWELL_AWS_ENDPOINT_URL=asked.url
        )
        assert service_options(settings)["auth_key"] == "hush"
    assert f"/{REGION}/secretsmanager/" in asked.requests[0][2]["authorization"]


def put(asked: Asked, monkeypatch: pytest.MonkeyPatch, **more: str) -> dict[str, str]:
    """The headers with which a record and an object are written."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    settings = Settings(
        environment={
            "STEPWELL_DATASTORE": "s3",
            "STEPWELL_DATASTORE_ROOT": "s3://bucket/root",
            "STEPWELL_S3_ENDPOINT_URL": asked.url,
            **more,
        }
    )
    stores = open_stores(settings)
    stores.records.replace("a", b"1")
    stores.content.backend.replace("b", b"2")
    first, second = (headers for method, _, headers in asked.requests if method == "PUT")
    same = {name for name in first if "encryption" in name}
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    return first


@pytest.mark.parametrize(
    ("given", "way", "key"),
    [
        ({"STEPWELL_S3_SSE": "AES256"}, "AES256", None),
        ({"STEPWELL_S3_KMS_KEY": "alias/ours"}, "aws:kms", "alias/ours"),
        ({"STEPWELL_S3_SSE": "aws:kms:dsse", "STEPWELL_S3_KMS_KEY": "k"}, "aws:kms:dsse", "k"),
        ({}, None, None),
    ],
)
def test_what_is_written_to_s3_is_encrypted_as_asked_at_the_endpoint_given(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], way: str | None, key: str | None
) -> None:
    with answering(200, b"", ETag='"x"') as asked:
        sent = put(asked, monkeypatch, **given)
    assert sent.get("x-amz-server-side-encryption") == way
    assert sent.get("x-amz-server-side-encryption-aws-kms-key-id") == key


def test_a_kms_key_and_another_way_of_encryption_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="aws:kms"):
        s3_encryption(Settings(file={"STEPWELL_S3_SSE": "AES256", "STEPWELL_S3_KMS_KEY": "k"}))


def test_jobs_get_the_url_for_jobs_and_names_of_secrets_but_no_secret(tmp_path: Path) -> None:
    from stepwell.api.definition import read_flow
    from stepwell.api.loading import load_flow
    from stepwell.deploying.environment import flow_environment

    file = tmp_path / "flow.py"
    file.write_text(
        "from stepwell import *\n\n\nclass F(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.end)\n\n"
        "    @step\n    def end(self):\n        pass\n"
    )
    secrets = {"STEPWELL_SERVICE_AUTH_KEY": "hush", "STEPWELL_SERVICE_HEADERS": '{"X-Key": "hush"}'}
    named = {"STEPWELL_SERVICE_AUTH_SECRET": "arn:s", "STEPWELL_S3_SSE": "aws:kms", "STEPWELL_S3_KMS_KEY": "k"}
    urls = {"STEPWELL_SERVICE_URL": "http://outside", "STEPWELL_SERVICE_INTERNAL_URL": "http://inside"}
    flow = read_flow(load_flow(file), file)
    sent = flow_environment(flow, "s3://b/r", ("d", "u"), shared(**secrets, **named, **urls))
    assert sent["STEPWELL_SERVICE_URL"] == "http://inside"
    assert {name: sent[name] for name in named} == named
    assert "hush" not in json.dumps(sent)
