"""A service that also takes many records in one request, as stepwell's own does, kept in memory."""

from __future__ import annotations

import copy
import json
import re
from typing import Any
from urllib.parse import unquote

from http_servers import Reply, Request
from original import OriginalService

Row = dict[str, Any]


class BulkService(OriginalService):
    """All of a request is kept, or nothing; what is marked as sent before adds only metadata that are not there."""

    def reply_to(self, request: Request) -> Reply:
        match = re.fullmatch("/flows/([^/]+)/runs/([^/]+)/bulk", request.path)
        if match and request.method == "POST":
            return self._register(unquote(match[1]), unquote(match[2]), request.body)
        return super().reply_to(request)

    def _register(self, flow: str, run: str, body: Row) -> Reply:
        kept = [copy.copy(rows) for rows in (self.steps, self.tasks, self.metadata, self.artifacts)]
        missing = self._add(flow, run, body)
        if missing:
            self.steps, self.tasks, self.metadata, self.artifacts = kept
            error = {"pgcode": "23503", "diag": {"message_primary": f"{missing} does not exist: register it first"}}
            return Reply(404, body=json.dumps({"err_msg": error}))
        return Reply(body={f"{kind}_created": len(rows) for kind, rows in body.items() if kind != "again"})

    def _add(self, flow: str, run: str, body: Row) -> str | None:
        """Add everything; what is missing, in words."""
        if not self._runs(flow, run):
            return f"run {run!r} of flow {flow!r}"
        for row in body["steps"]:
            self.add_step(flow, run, row["step_name"], row)
        for row in body["tasks"]:
            if self.add_task(flow, run, row["step_name"], row).status == 404:
                return f"step {row['step_name']!r}"
        before = list(self.metadata)
        for kind, add in (("artifacts", self.add_artifacts), ("metadata", self.add_metadata)):
            for row in body[kind]:
                if kind == "metadata" and body["again"] and self._take(before, flow, run, row):
                    continue
                if add(flow, run, row["step_name"], str(row["task_id"]), [row]).status != 200:
                    return f"task {row['task_id']!r} of step {row['step_name']!r}"
        return None

    def _take(self, before: list[Row], flow: str, run: str, row: Row) -> bool:
        """Whether an equal one was there that stands for no other row."""
        tasks = self._tasks(flow, run, row["step_name"], str(row["task_id"]))
        for old in before:
            if old["task"] in tasks and all(old[key] == row[key] for key in ("field_name", "value", "type", "tags")):
                before.remove(old)
                return True
        return False
