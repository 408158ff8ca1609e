"""The configs that a run keeps: whoever reads its flow again, in a task or to resume it, reads it with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cas_store import MissingObject

from stepwell.api.configs import configs
from stepwell.execution.artifacts import load_artifact
from stepwell.execution.records import RunRecord, read_run
from stepwell.execution.stores import Stores


def kept_configs(flow: type, run: RunRecord, stores: Stores) -> dict[str, Any]:
    """The values that a run has of a flow's configs, by attribute."""
    wanted = [declared.attribute for declared in configs(flow).values()]
    return {
        name: load_artifact(stores.objects, run.parameters[name], name) for name in wanted if name in run.parameters
    }


def configs_of_run(flow: type, run_id: str, stores: Stores) -> Mapping[str, Any] | None:
    """The values of all of a flow's configs in a run; None where it has none, or where nobody claimed the run yet."""
    if not configs(flow):
        return None
    try:
        run = read_run(stores.records, flow.__name__, run_id)
    except MissingObject:
        return None
    kept = kept_configs(flow, run, stores)
    return {**dict.fromkeys((one.attribute for one in configs(flow).values()), None), **kept}
