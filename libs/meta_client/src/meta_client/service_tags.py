"""Change a run's tags on a metadata service."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from meta_client.errors import InvalidAnswer, InvalidRequest, NotFound, TagsContended
from meta_client.paths import in_words, segments, target_path
from meta_client.records import Run
from meta_client.service_answers import Answer
from meta_client.service_http import ServiceHttp

_MOST_TRIES = 10


def change_tags(http: ServiceHttp, run: Run, add: Sequence[str], remove: Sequence[str]) -> list[str]:
    """The run's tags after it. Raises `NotFound`, `InvalidRequest`, `TagsContended` and `Unsupported`."""
    answer = _patched(http, run, {"tags_to_add": list(add), "tags_to_remove": list(remove)})
    if answer.says_missing:
        raise NotFound(in_words(*target_path(run)))
    if answer.says_no_route:
        raise answer.unsupported("changing tags")
    if answer.status == 422:
        raise InvalidRequest("remove", list(remove), answer.message())
    if answer.status == 409:
        raise TagsContended(answer.where, answer.message())
    if answer.status != 200:
        raise answer.error()
    if not answer.is_object or not isinstance(answer.value.get("tags"), list):
        raise InvalidAnswer(answer.where, "the run's tags are missing")
    return list(answer.value["tags"])


def _patched(http: ServiceHttp, run: Run, body: dict[str, list[str]]) -> Answer:
    """The answer; where others change the same tags at the same time, again after a while."""
    tries = 1
    while True:
        answer = http.send("PATCH", (*segments(*target_path(run)), "tag", "mutate"), body=body)
        if answer.status != 409 or tries == _MOST_TRIES:
            return answer
        time.sleep(random.uniform(0, 0.02 * 2.0**tries))
        tries += 1
