"""What operators and their machines see: probes, figures, request ids, logs."""

from __future__ import annotations

import json
import logging
import re

import pytest
import requests
from metadata_service import Settings, create_app, logs
from metadata_service.logs import JsonLines
from metadata_service.schema import latest_version
from support import Api, Service, wait_until


def test_ping_and_version_tell_what_clients_compare_with(api: Api) -> None:
    answer = api.get("/ping")
    assert (answer.status, answer.body, answer.headers["METADATA_SERVICE_VERSION"]) == (200, "pong", "2.5.1")
    assert api.get("/version").body == "2.5.1"


def test_the_version_header_is_on_every_answer(api: Api, flow: str) -> None:
    api.get("/ping")
    for path in (flow, "/flows/Nowhere", "/nothing", "/flows/x/runs/1/heartbeat"):
        assert api.get(path).headers["METADATA_SERVICE_VERSION"] == "2.5.1"


def test_probes_of_a_healthy_service(api: Api) -> None:
    assert api.get("/healthz").body["status"] == "up"
    assert api.get("/readyz").body == {"status": "ready", "schema": latest_version()}
    assert json.loads(api.get("/healthcheck").body) == {"status": "UP"}


def test_probes_without_a_database() -> None:
    api = Api(create_app(Settings(database_url="postgresql://user@127.0.0.1:1/name")).test_client())
    assert api.get("/healthz").status == 200
    ready = api.get("/readyz")
    assert (ready.status, ready.body["status"]) == (503, "not ready")
    assert "not available" in ready.body["message"]
    assert api.get("/healthcheck").status == 503
    answer = api.get("/flows")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


class TestRequestIds:
    def test_every_answer_has_one_of_its_own(self, api: Api) -> None:
        found = [api.get("/ping").headers["X-Request-Id"] for _ in range(2)]
        assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)
        assert found[0] != found[1]

    def test_the_clients_is_kept(self, api: Api) -> None:
        answer = api.send("GET", "/ping", headers={"X-Request-Id": "trace-1/2:3"})
        assert answer.headers["X-Request-Id"] == "trace-1/2:3"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", '"', "<script>"])
    def test_what_is_unfit_for_a_log_is_replaced(self, api: Api, given: str) -> None:
        answer = api.send("GET", "/ping", headers={"X-Request-Id": given})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def figure(text: str, name: str, **labels: str) -> float:
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


class TestMetrics:
    def test_requests_are_counted_by_route_not_by_path(self, migrated: str) -> None:
        api = Api(create_app(Settings(database_url=migrated)).test_client())
        for name in ("Counted1", "Counted2"):
            api.get(f"/flows/{name}")
        api.get("/nothing/at/all")
        text = api.get("/metrics").body
        route = "/flows/<segment:flow>"
        assert figure(text, "metadata_service_requests_total", method="GET", route=route, status="404") == 2
        assert figure(text, "metadata_service_request_seconds_count", method="GET", route=route) == 2
        assert figure(text, "metadata_service_requests_total", route="none", status="404") == 1
        assert "Counted" not in text

    def test_made_up_methods_make_no_figures_of_their_own(self, migrated: str) -> None:
        api = Api(create_app(Settings(database_url=migrated)).test_client())
        for number in range(3):
            api.send(f"METHOD{number}", "/flows")
        text = api.get("/metrics").body
        assert figure(text, "metadata_service_requests_total", method="other", status="405") == 3
        assert "METHOD" not in text

    def test_every_process_answers_for_all(self, service: Service) -> None:
        def count() -> float:
            text = requests.get(f"{service.url}/metrics", timeout=120).text
            return figure(text, "metadata_service_requests_total", route="/version", status="200")

        before = count()
        for _ in range(20):
            requests.get(f"{service.url}/version", timeout=120)
        assert [count() - before for _ in range(6)] == [20] * 6


class TestLogs:
    def test_requests_are_logged_as_json_with_their_ids_and_probes_are_not(self, service: Service) -> None:
        requests.get(f"{service.url}/readyz", headers={"X-Request-Id": "logged-0"}, timeout=120)
        requests.get(f"{service.url}/flows/Nowhere", headers={"X-Request-Id": "logged-1"}, timeout=120)
        requests.get(f"{service.url}/flows/Again%0A", headers={"X-Request-Id": "logged-2"}, timeout=120)
        wait_until(lambda: any(line["request_id"] == "logged-2" for line in service.log))
        found = {line["request_id"]: line for line in service.log if line["request_id"].startswith("logged-")}
        assert set(found) == {"logged-1", "logged-2"}
        assert (found["logged-1"]["message"], found["logged-1"]["status"]) == ("GET /flows/Nowhere", 404)
        assert found["logged-1"]["milliseconds"] >= 0
        assert service.said.count("\n") == 1

    def test_a_defect_is_logged_with_its_traceback_and_answered_without(
        self, migrated: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = create_app(Settings(database_url=migrated))
        storage = app.extensions["metadata_service"]

        def fail(page: object) -> None:
            raise ZeroDivisionError("an inner secret")

        monkeypatch.setattr(storage, "list_flows", fail)
        with caplog.at_level(logging.ERROR, "metadata_service"):
            answer = Api(app.test_client()).get("/flows")
        assert answer.status == 500
        assert answer.body == {"message": "internal error, see the service's log"}
        assert "ZeroDivisionError" in caplog.text
        assert answer.headers["X-Request-Id"]

    def test_a_record_is_one_line_of_json(self) -> None:
        record = logging.LogRecord("name", logging.INFO, __file__, 1, "two\nlines %s", ("\u706b",), None)
        record.fields = {"status": 200}
        token = logs.request_id.set("id-3")
        try:
            line = JsonLines().format(record)
        finally:
            logs.request_id.reset(token)
        assert "\n" not in line
        found = json.loads(line)
        assert (found["message"], found["level"], found["status"], found["request_id"]) == (
            "two\nlines \u706b",
            "info",
            200,
            "id-3",
        )
