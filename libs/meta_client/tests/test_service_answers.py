"""What the client makes of answers: pages, errors in any shape, web pages, credentials, databases to migrate."""

import pytest
import wire
from http_servers import Reply
from meta_client import (
    Artifact,
    Denied,
    InvalidAnswer,
    InvalidRecord,
    InvalidRequest,
    MetaClientError,
    Metadatum,
    NotFound,
    Run,
    SchemaTooOld,
    ServiceError,
    ServiceStore,
    TagsContended,
    Task,
    UnknownScheme,
    Unsupported,
    open_store,
)

RUN = Run(flow_id="F", run_id=1, tags=("a",))
TASK = Task(flow_id="F", run_id=1, step_name="train", task_id="t0")
TASK_PATH = "/flows/F/runs/1/steps/train/tasks/t0"


def paged(rows, cursor=None):
    return Reply(body=rows, headers={"X-Limit": "50", **({"X-Next-Cursor": cursor} if cursor else {})})


# pages


def test_runs_are_fetched_page_by_page_as_they_are_wanted(script, service):
    script.on("GET /flows/F/runs?_limit=50", paged([wire.run(3), wire.run(2)], "c1=="))
    script.on("GET /flows/F/runs?_limit=500&_cursor=c1%3D%3D", paged([wire.run(1)]))
    runs = service.list_runs("F")
    assert next(runs).run_id == 3
    assert next(runs).run_id == 2
    assert len(script.requests) == 1
    assert [run.run_id for run in runs] == [1]
    assert len(script.requests) == 2


def test_no_page_is_larger_than_services_allow_or_than_needed(script, service):
    script.on("GET /flows/F/runs", paged([wire.run(3), wire.run(2)]))
    list(service.list_runs("F", limit=2))
    list(service.list_runs("F", limit=9000))
    assert script.lines() == ["GET /flows/F/runs?_limit=2", "GET /flows/F/runs?_limit=500"]


def test_tags_and_status_are_asked_for_where_a_query_can_say_them(script, service):
    script.on("GET /flows/F/runs", paged([]))
    list(service.list_runs("F", tags=["a b", "c,d", "null", "e"], status="failed"))
    assert script.lines() == ["GET /flows/F/runs?status=failed&_tags=a+b%2Ce&_limit=50"]


def test_a_service_that_ignores_filters_is_filtered_here(script, service):
    rows = [wire.run(number, ts_epoch=number, tags=["odd"] if number % 2 else []) for number in (2, 5, 1, 4, 3)]
    script.on("GET /flows/F/runs", Reply(body=rows))
    assert [run.run_id for run in service.list_runs("F", tags=["odd"], limit=2)] == [5, 3]


def test_a_service_that_ignores_statuses_is_found_out(script, service):
    script.on("GET /flows/F/runs", paged([wire.run(1)]))
    with pytest.raises(Unsupported, match="by status"):
        list(service.list_runs("F", status="failed"))


def test_tasks_and_metadata_come_from_all_pages(script, service):
    tasks = f"{TASK_PATH.rpartition('/')[0]}"
    script.on(f"GET {tasks}?_limit=500", paged([wire.task("t10"), wire.task("t9")], "next"))
    script.on(f"GET {tasks}?_limit=500&_cursor=next", paged([wire.task("t2")]))
    assert [task.task_id for task in service.list_tasks("F", 1, "train")] == ["t2", "t9", "t10"]
    script.on(f"GET {TASK_PATH}/metadata?_limit=500", paged([wire.metadatum(3)], "next"))
    script.on(f"GET {TASK_PATH}/metadata?_limit=500&_cursor=next", paged([wire.metadatum(2), wire.metadatum(1)]))
    assert [each.id for each in service.list_metadata(TASK)] == [3, 2, 1]


def test_pages_that_never_end_are_an_error(script, service):
    script.on("GET /flows", paged([wire.flow()], "again"))
    with pytest.raises(InvalidAnswer, match="same one again"):
        service.list_flows()


def test_artifacts_are_not_asked_for_in_pages_as_those_mix_attempts(script, service):
    script.on(f"GET {TASK_PATH}/artifacts", Reply(body=[]))
    assert service.list_artifacts(TASK) == []
    assert script.lines() == [f"GET {TASK_PATH}/artifacts"]


# what goes out


def test_ids_are_segments_of_the_path_whatever_they_hold(script, service):
    with pytest.raises(MetaClientError):
        service.get_task("my flow", "a?b", "50%", "%2F#")
    assert script.lines() == ["GET /flows/my%20flow/runs/a%3Fb/steps/50%25/tasks/%252F%23"]


def test_a_service_may_live_below_a_prefix(script, url):
    script.on("GET /meta/v1/flows/F", Reply(body=wire.flow()))
    with ServiceStore(f"{url}/meta/v1/") as store:
        assert store.get_flow("F").flow_id == "F"


def test_key_and_headers_are_sent_and_netrc_is_not(script, open_service, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login wrong password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    script.on("GET /flows/F", Reply(body=wire.flow()))
    open_service(auth_key="secret", headers={"Authorization": "Bearer token", "X-Team": "ml"}).get_flow("F")
    sent = script.requests[0].headers
    assert (sent["x-api-key"], sent["Authorization"], sent["X-Team"]) == ("secret", "Bearer token", "ml")
    open_service().get_flow("F")
    assert "Authorization" not in script.requests[1].headers
    assert "x-api-key" not in script.requests[1].headers


def test_a_session_of_the_callers_is_used_and_stays_open(script, open_service):
    import requests

    script.on("GET /flows/F", Reply(body=wire.flow()))
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        session.auth = ("ann", "secret")
        store = open_service(session=session, headers={"X-Also": "yes"})
        store.get_flow("F")
        store.close()
        assert session.get(f"{store.url}/flows/F", timeout=10).status_code == 200
    sent = script.requests[0].headers
    assert (sent["X-Mine"], sent["X-Also"]) == ("yes", "yes")
    assert sent["Authorization"].startswith("Basic ")


def test_connections_are_kept(script, service):
    ports = set()
    inner = script.reply_to
    script.on("GET /flows/F", Reply(body=wire.flow()))
    script.reply_to = lambda request: (ports.add(request.headers["Connection"]), inner(request))[1]
    for _ in range(3):
        service.get_flow("F")
    assert ports == {"keep-alive"}


# answers that are none, or that refuse


@pytest.mark.parametrize("status", [200, 404, 400])
def test_a_web_page_is_no_answer(script, service, status):
    script.on("GET /flows/F", Reply(status, raw=b"<!doctype html><h1>Please log in</h1>"))
    with pytest.raises(InvalidAnswer, match=r"web page .*Is this the URL of a metadata service\?"):
        service.get_flow("F")
    assert len(script.requests) == 1


def test_a_redirection_is_told_and_not_followed(script, service):
    script.on("GET /flows/F", Reply(302, headers={"Location": "https://login.example.com/"}))
    with pytest.raises(InvalidAnswer, match=r"redirects to https://login\.example\.com/"):
        service.get_flow("F")


@pytest.mark.parametrize("body", [{"message": "Not Found"}, {"detail": "Not Found"}, [], "Not Found"], ids=str)
@pytest.mark.parametrize(
    "call",
    [
        lambda service: service.list_flows(),
        lambda service: list(service.list_runs("F")),
        lambda service: service.list_artifacts(TASK),
        lambda service: service.get_run("F", 1),
        lambda service: service.create_run("F"),
        lambda service: service.heartbeat(RUN),
    ],
    ids=["list_flows", "list_runs", "list_artifacts", "get_run", "create_run", "heartbeat"],
)
def test_what_another_service_does_not_have_is_not_taken_for_an_empty_history(script, service, body, call):
    for path in (
        "GET /flows",
        "GET /flows/F",
        "GET /flows/F/runs",
        "GET /flows/F/runs/1",
        f"GET {TASK_PATH}/artifacts",
    ):
        script.on(path, Reply(404, body=body))
    for path in ("POST /flows/F", "POST /flows/F/run", "POST /flows/F/runs/1/heartbeat"):
        script.on(path, Reply(404, body=body))
    with pytest.raises(InvalidAnswer, match="no such route"):
        call(service)


def test_records_count_as_registered_only_where_the_answer_says_so(script, service):
    script.on(f"POST {TASK_PATH}/artifact", Reply(body={"ok": True}))
    with pytest.raises(InvalidAnswer, match="how many were added"):
        service.register_artifacts(TASK, [Artifact(name="x")])
    script.on("POST /flows/F/runs/1/bulk", Reply(body={"ok": True}))
    with pytest.raises(InvalidAnswer, match="how many were added"):
        service.register_many([TASK])


def test_an_address_without_such_routes_is_told(service):
    with pytest.raises(InvalidAnswer, match="no such route"):
        service.get_flow("F")


@pytest.mark.parametrize("body", [[], "text", 7, None, {}, {**wire.flow(), "ts_epoch": "today"}], ids=repr)
def test_a_record_that_is_none_is_told(script, service, body):
    script.on("GET /flows/F", Reply(body=body))
    with pytest.raises(InvalidRecord, match="flow"):
        service.get_flow("F")


@pytest.mark.parametrize("body", [{}, "text", None], ids=repr)
def test_a_listing_that_is_none_is_told(script, service, body):
    script.on("GET /flows", Reply(body=body))
    with pytest.raises(InvalidAnswer, match="not a list"):
        service.list_flows()


def test_records_may_have_fields_that_nobody_here_knows(script, service):
    script.on("GET /flows/F", Reply(body={**wire.flow(), "colour": "blue"}))
    assert service.get_flow("F").flow_id == "F"


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_are_told(script, service, status):
    script.on("GET /flows/F", Reply(status, raw=b"<html>no</html>"))
    with pytest.raises(Denied, match="auth key") as caught:
        service.get_flow("F")
    assert caught.value.status == status
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [409, 501, 503])
def test_a_database_that_is_too_old_is_told_with_the_command(script, service, status):
    body = {"error": "schema_too_old", "message": "finding runs needs 3", "have": 1, "need": 3, "command": "do migrate"}
    script.on("GET /flows/F/runs", Reply(status, body=body))
    with pytest.raises(SchemaTooOld, match="finding runs needs 3") as caught:
        list(service.list_runs("F", tags=["a"]))
    assert (caught.value.have, caught.value.need, caught.value.command) == (1, 3, "do migrate")
    assert len(script.requests) == 1


def test_a_database_that_is_too_old_is_told_though_the_service_says_little(script, service):
    script.on("GET /flows/F", Reply(503, body={"error": "schema_too_old"}))
    with pytest.raises(SchemaTooOld, match="metadata-service migrate"):
        service.get_flow("F")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "because"}, "because"),
        ({"detail": "'run_number'", "title": "Internal Server Error"}, "'run_number'"),
        ('{"err_msg": {"pgcode": "22001", "diag": {"message_primary": "value too long"}}}', "value too long"),
        ("a bare string", "a bare string"),
        ({}, r"\{\}"),
        ([], r"\[\]"),
    ],
    ids=repr,
)
def test_a_failure_says_what_the_service_said(script, service, body, message):
    script.on("GET /flows/F", Reply(500, body=body))
    with pytest.raises(ServiceError, match=f"GET .*/flows/F: status 500: {message}") as caught:
        service.get_flow("F")
    assert caught.value.status == 500
    assert not caught.value.retryable


def test_an_endless_message_is_cut(script, service):
    script.on("GET /flows/F", Reply(500, body={"message": "x" * 1_000_000}))
    with pytest.raises(ServiceError) as caught:
        service.get_flow("F")
    assert len(str(caught.value)) < 1000


# older services


def test_a_service_that_gives_all_ids_itself_is_told(script, service):
    script.on("POST /flows/F/runs/1/steps/train/task", Reply(body=wire.task(12)))
    with pytest.raises(Unsupported, match="too old for ids that clients give"):
        service.create_task("F", 1, "train", "t0")


def test_a_service_without_tag_changes_is_told(service):
    with pytest.raises(Unsupported, match="too old for changing tags"):
        service.mutate_tags(RUN, add=["b"])


def test_a_service_without_attempts_is_told(service):
    with pytest.raises(Unsupported, match="too old for reading one attempt"):
        service.list_artifacts(TASK, attempt=1)


@pytest.mark.parametrize("body", ['{"wait_time_in_seconds": 7}', {"wait_time_in_seconds": 7}], ids=["twice", "once"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_heartbeat_that_comes_early_is_none_too_many(script, service, status, body):
    script.on("POST /flows/F/runs/1/heartbeat", Reply(status, body=body))
    script.on("GET /flows/F/runs/1", Reply(body=wire.run()))
    assert service.heartbeat(RUN) == 7


def test_a_service_without_heartbeats_does_not_mind(script, service):
    script.on("GET /flows/F/runs/1", Reply(body=wire.run()))
    assert service.heartbeat(RUN) == 10


@pytest.mark.parametrize("body", [[], "text", 7, None], ids=repr)
def test_a_creation_that_is_answered_with_no_record_is_told(script, service, body):
    script.on("POST /flows/F/run", Reply(body=body))
    script.on("POST /flows/F/runs/1/steps/train/task", Reply(body=body))
    script.on(f"POST {TASK_PATH}/metadata", Reply(body=body))
    script.on(f"POST {TASK_PATH}/artifact", Reply(body=body))
    script.on("PATCH /flows/F/runs/1/tag/mutate", Reply(body=body))
    script.on(f"GET {TASK_PATH}/metadata", Reply(body=[]))
    calls = [
        lambda: service.create_run("F", run_id="mine"),
        lambda: service.create_task("F", 1, "train", "t0"),
        lambda: service.register_metadata(TASK, [Metadatum(field_name="f", value="v")]),
        lambda: service.register_artifacts(TASK, [Artifact(name="x")]),
        lambda: service.mutate_tags(RUN, add=["b"]),
    ]
    for call in calls:
        with pytest.raises((InvalidRecord, InvalidAnswer)):
            call()


def test_a_heartbeat_of_what_is_missing_is_told(script, service):
    script.on("POST /flows/F/runs/1/heartbeat", Reply(404, body='{"wait_time_in_seconds": 10}'))
    script.on("GET /flows/F/runs/1", Reply(404, body={}))
    with pytest.raises(NotFound, match="run F/1"):
        service.heartbeat(RUN)


# tags


def test_tags_that_others_change_are_tried_again(script, service):
    script.on("PATCH /flows/F/runs/1/tag/mutate", Reply(409, body="please retry"), Reply(body={"tags": ["b", "a"]}))
    assert service.mutate_tags(RUN, add=["b"]).tags == ("b", "a")


def test_tags_that_others_keep_changing_are_given_up(script, service, monkeypatch):
    monkeypatch.setattr("meta_client.service_tags.time.sleep", lambda _: None)
    script.on("PATCH /flows/F/runs/1/tag/mutate", Reply(409, body="Conflicting concurrent tag mutation, please retry"))
    with pytest.raises(TagsContended, match="Conflicting") as caught:
        service.mutate_tags(RUN, add=["b"])
    assert caught.value.retryable
    assert len(script.requests) == 10


def test_system_tags_stay(script, service):
    script.on("PATCH /flows/F/runs/1/tag/mutate", Reply(422, body="Cannot remove tags that are existing system tags"))
    with pytest.raises(InvalidRequest, match="Cannot remove"):
        service.mutate_tags(RUN, remove=["user:ann"])


# where it is


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8080",
        "ftp://host",
        "http://",
        "http://:80",
        "http://host:port",
        "http://host:99999",
        "sqlite://x",
        "sqlite:///",
    ],
)
def test_what_is_no_url_of_a_store_is_told(url):
    with pytest.raises(UnknownScheme, match="http://"):
        open_store(url)


@pytest.mark.parametrize("url", ["http://ann:secret@host", "http://host?x=1", "http://host#x"])
def test_what_does_not_belong_into_the_url_is_told_without_the_secret(url):
    with pytest.raises(InvalidRequest) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["two\nlines", "naïve", " blank", None, 7], ids=repr)
def test_headers_are_printable_text(value):
    with pytest.raises(InvalidRequest, match="X-Team"):
        open_store("http://host", headers={"X-Team": value})
