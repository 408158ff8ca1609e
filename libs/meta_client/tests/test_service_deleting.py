"""How the client deletes runs on a service: until nothing is left, and though answers get lost."""

import pytest
from http_servers import HANG_UP, Reply
from meta_client import Denied, NotFound, SchemaTooOld, Unsupported

DELETE = "DELETE /flows/F/runs/12"
DONE = Reply(body={"steps_deleted": 1, "tasks_deleted": 2, "artifacts_deleted": 3, "metadata_deleted": 4})
SOME_LEFT = Reply(202, body=DONE.body)
MISSING = Reply(404, body={})


@pytest.mark.parametrize(
    "replies",
    [
        [DONE],
        [SOME_LEFT, SOME_LEFT, DONE],
        [SOME_LEFT, MISSING],
        [HANG_UP, MISSING],
        [HANG_UP, DONE],
        [Reply(503), DONE],
    ],
    ids=repr,
)
def test_it_is_asked_for_until_nothing_is_left(script, service, replies):
    script.on(DELETE, *replies)
    service.delete_run("F", 12)
    assert script.lines() == [DELETE] * len(replies)


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (MISSING, NotFound, "run F/12"),
        (Reply(405, raw=b"405: Method Not Allowed"), Unsupported, "too old for deleting runs: upgrade it"),
        (Reply(405, body={"message": "method"}), Unsupported, "too old"),
        (Reply(403, body={"message": "this token may only read"}), Denied, "403"),
        (
            Reply(501, body={"error": "schema_too_old", "message": "", "have": 2, "need": 3, "command": "migrate it"}),
            SchemaTooOld,
            "migrate it",
        ),
    ],
    ids=repr,
)
def test_what_cannot_be_deleted_says_why(script, service, reply, error, says):
    script.on(DELETE, reply)
    with pytest.raises(error, match=says):
        service.delete_run("F", 12)
