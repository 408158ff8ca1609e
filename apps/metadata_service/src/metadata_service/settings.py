"""What an operator can set, in one value."""

from __future__ import annotations

from pathlib import Path

import attrs


def _prefix(text: str) -> str:
    inner = text.strip("/")
    return f"/{inner}" if inner else ""


@attrs.frozen
class Settings:
    """Settings of one service process. Times are in seconds, sizes in bytes."""

    database_url: str = attrs.field(repr=False)  # holds the password
    prefix: str = attrs.field(default="", converter=_prefix)  # all routes are mounted below it: "" or "/path"
    tokens_file: Path | None = None  # None: whoever reaches the service may read and write
    pool_size: int = 8  # connections per worker process: one per thread
    pool_wait_s: float = 10.0
    connection_lifetime_s: float = 1800.0
    statement_timeout_s: float = 60.0
    heartbeat_interval_s: int = 10  # what clients are told to wait between heartbeats
    run_inactive_s: int = 360  # a run without an end and without a heartbeat for so long has failed
    max_body_bytes: int = 64 * 1024 * 1024
