"""One deployed version of a flow, as the datastore keeps it: what its jobs read, and what a collection leaves alone for it.

    <root>/roots/<machine>/<version>.json

A version's name is made of its content: the same flow, deployed again, is the same version. Executions that are under way keep
theirs when another is deployed, so records stay until the deployment is deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from cas_store import Reference

from stepwell.errors import RecordError
from stepwell.execution.stores import Stores

FORMAT = 1
ROOTS = "roots"


@attrs.frozen(kw_only=True)
class Version:
    """What all runs of a version share.

    - `machine`, `machine_arn`: the state machine.
    - `environment`: what each of its jobs finds in its environment.
    - `parameters`: values that were decided when it was deployed: defaults that functions gave, included files, configs.
    - `token`: the production token; `user` who deployed it; `tags` are given to its runs.
    - `notify_url`: where a failing task tells of its failure.
    """

    flow: str
    machine: str
    machine_arn: str
    package: str
    user: str
    token: str
    environment: Mapping[str, str]
    parameters: Mapping[str, Reference] = attrs.field(factory=dict)
    tags: tuple[str, ...] = ()
    notify_url: str | None = None

    @property
    def name(self) -> str:
        """The record's name below the datastore's root."""
        digest = hashlib.sha256(self.encode()).hexdigest()
        return f"{ROOTS}/{self.machine}/{digest[:16]}.json"

    @property
    def package_url(self) -> str:
        """Where a job finds the code package."""
        return self.environment["STEPWELL_PACKAGE_URL"]

    def encode(self) -> bytes:
        """The record as the bytes to store."""
        parameters = {name: reference.to_json() for name, reference in self.parameters.items()}
        data = {"format": FORMAT, **attrs.asdict(self, recurse=False), "parameters": parameters}
        return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()

    def execution_arn(self, execution: str) -> str:
        """The ARN of an execution of this version's machine."""
        return f"{self.machine_arn.replace(':stateMachine:', ':execution:')}:{execution}"


def read_version(stores: Stores, name: str) -> Version:
    """The version that a record tells of; raises `RecordError` where it is damaged or too new."""
    return decode_version(stores.records.read(name), name)


def decode_version(data: bytes, name: str) -> Version:
    """Read what `Version.encode` wrote."""
    try:
        fields: dict[str, Any] = json.loads(data)
        version = fields.pop("format")
        if version != FORMAT:
            raise RecordError(
                f"{name} has format {version}; upgrade stepwell to read it: pip install --upgrade stepwell"
            )
        parameters = {key: Reference.from_json(value) for key, value in fields.pop("parameters").items()}
        return Version(**{**fields, "parameters": parameters, "tags": tuple(fields["tags"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"The record {name} is damaged: {error}") from error


def keep_version(stores: Stores, version: Version) -> None:
    """Store a version's record."""
    stores.records.replace(version.name, version.encode())


def is_kept(stores: Stores, version: Version) -> bool:
    """Whether the record of a version is there."""
    return stores.records.exists(version.name)


def forget_versions(stores: Stores, machine: str) -> None:
    """Remove the records of all versions of a machine: its runs have records of their own."""
    for name in list(stores.records.names(f"{ROOTS}/{machine}/")):
        stores.records.delete(name)
