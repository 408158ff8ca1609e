"""Records as they stand on the wire."""

from typing import Any


def flow(name: str = "F", **more: Any) -> dict[str, Any]:
    return {
        "flow_id": name,
        "user_name": None,
        "ts_epoch": 1_700_000_000_000,
        "tags": None,
        "system_tags": None,
        **more,
    }


def run(number: int | str = 1, **more: Any) -> dict[str, Any]:
    return {**flow(), "run_number": number, "tags": [], "system_tags": [], "last_heartbeat_ts": None, **more}


def step(name: str = "train", **more: Any) -> dict[str, Any]:
    return {**flow(), "run_number": "1", "step_name": name, **more}


def task(name: int | str = "t0", **more: Any) -> dict[str, Any]:
    return {**flow(), "run_number": 1, "step_name": "train", "task_id": name, "last_heartbeat_ts": None, **more}


def metadatum(number: int, **more: Any) -> dict[str, Any]:
    described = {"field_name": "f", "value": str(number), "type": "f", "tags": ["attempt_id:0"]}
    return {**task(), "id": number, **described, **more}
