"""What stands between the client and a service in an organisation: proxies, and certificates of its own authority."""

import ssl

import pytest
import requests
import trustme
import wire
from http_servers import Reply, Script, serving
from meta_client import ServiceStore, ServiceUnavailable, UntrustedService


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def flow_through(url, **options):
    with ServiceStore(url, retry_for=0, **options) as store:
        return store.get_flow("F").flow_id


def test_no_timeout_waits_for_an_answer_as_long_as_it_takes(script, url):
    script.on("GET /flows/F", Reply(body=wire.flow()))
    assert flow_through(url, timeout=None) == "F"


def test_the_proxy_of_the_environment_is_used(script, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", url)
    script.on("GET http://metadata.example.com/flows/F", Reply(body=wire.flow()))
    assert flow_through("http://metadata.example.com", auth_key="hush") == "F"
    assert script.requests[0].headers["x-api-key"] == "hush"


def test_hosts_that_are_to_be_reached_without_the_proxy_are(script, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    script.on("GET /flows/F", Reply(body=wire.flow()))
    assert flow_through(url) == "F"


def test_a_proxy_that_is_away_is_said_to_be_it(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable, match="proxy"):
        flow_through("http://metadata.example.com")


@pytest.mark.parametrize("proxy", ["nonsense://127.0.0.1:9", "http://:::", "http://", "sock://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_one_is_said_to_be_it(monkeypatch, proxy):
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ServiceUnavailable, match="the proxy that the environment names"):
        flow_through("http://metadata.example.com")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def https(authority):
    """The URL of a service whose certificate comes from the organisation's own authority."""
    script = Script()
    script.on("GET /flows/F", Reply(body=wire.flow()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with serving(script, tls=context) as url:
        yield url


def test_a_certificate_of_an_unknown_authority_is_refused_and_it_says_what_to_set(https):
    with pytest.raises(UntrustedService, match="REQUESTS_CA_BUNDLE") as caught:
        flow_through(https)
    assert not caught.value.retryable
    assert isinstance(caught.value.__cause__, requests.exceptions.SSLError)


def test_a_file_of_authorities_that_does_not_exist_is_told(https, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(UntrustedService, match=r"missing\.pem"):
        flow_through(https)


def test_the_authorities_of_the_environment_or_the_session_are_trusted(https, authority, monkeypatch, tmp_path):
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    session = requests.Session()
    session.verify = str(bundle)
    assert flow_through(https, session=session) == "F"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert flow_through(https) == "F"
