"""A service's store on both sides of a fork, with a session of the caller's and amid calls."""

import threading

import requests
import wire
from http_servers import Reply
from processes import in_child, wait_until


def test_a_session_of_the_callers_is_not_shared_with_a_fork(script, open_service):
    script.on("GET /flows/F", Reply(body=wire.flow()))
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        store = open_service(session=session)
        store.get_flow("F")
        met = [in_child(lambda: store.get_flow("F").flow_id) for _ in range(3)]
        store.get_flow("F")
    assert met == ["F", "F", "F"]
    assert {request.headers["X-Mine"] for request in script.requests} == {"yes"}


def test_a_fork_does_not_wait_for_calls_of_other_threads(script, service):
    forked = threading.Event()
    script.on("GET /flows/slow", Reply(body=wire.flow("slow"), after=forked))
    script.on("GET /flows/F", Reply(body=wire.flow()))
    service.get_flow("F")
    caller = threading.Thread(target=service.get_flow, args=("slow",))
    caller.start()
    try:
        wait_until(lambda: any("slow" in line for line in script.lines()))
        assert in_child(lambda: service.get_flow("F").flow_id) == "F"
        assert caller.is_alive()
    finally:
        forked.set()
        caller.join()
