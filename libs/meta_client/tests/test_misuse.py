"""Arguments of the wrong kind: one error of the library, before anything is asked or written, from each store."""

from pathlib import Path

import pytest
from meta_client import Artifact, EmbeddedStore, InvalidRequest, ServiceStore, Task, UnknownScheme, open_store

TASK = Task(flow_id="F", run_id=1, step_name="s", task_id="t0")
MISUSES = {
    "no run or task to be alive": lambda store: store.heartbeat(None),
    "a path for a run": lambda store: store.mutate_tags("F/1", add=["good"]),
    "a path for a run or task": lambda store: store.list_metadata("F/1"),
    "a path for a task": lambda store: store.list_artifacts("F/1/s/t0"),
    "no task to find an artifact in": lambda store: store.get_artifact(None, "x"),
    "a path for a task to register with": lambda store: store.register_metadata("F/1/s/t0", []),
    "one artifact": lambda store: store.register_artifacts(TASK, Artifact(name="x")),
    "no artifacts": lambda store: store.register_artifacts(TASK, None),
    "a dict for an artifact": lambda store: store.register_artifacts(TASK, [{"name": "x"}]),
    "no records": lambda store: store.register_many(None),
    "a limit in words": lambda store: list(store.list_runs("F", limit="3")),
    "an attempt in words": lambda store: store.list_artifacts(TASK, attempt="0"),
}


@pytest.fixture(params=["embedded", "service"])
def store(request, tmp_path):
    embedded = request.param == "embedded"
    with EmbeddedStore(tmp_path / "m.db") if embedded else ServiceStore("http://127.0.0.1:9", retry_for=0) as store:
        yield store


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_what_is_of_the_wrong_kind_is_an_invalid_request(store, misuse):
    with pytest.raises(InvalidRequest, match="it must be"):
        misuse(store)


@pytest.mark.parametrize("url", [None, Path("metadata.db"), b"http://127.0.0.1"], ids=["nothing", "a path", "bytes"])
def test_what_is_no_url_is_told_what_one_is(url):
    with pytest.raises(UnknownScheme, match="sqlite:///path"):
        open_store(url)
