"""What is deployed under a name, without the flow file at hand: the code package that its jobs use has it."""

from __future__ import annotations

import json
import re
from tempfile import TemporaryDirectory

import attrs
from sched_sfn import Deployment, DeploymentNotFound

from stepwell.api.options import FlowOptions, read_options
from stepwell.client.code import read_code
from stepwell.config import Settings, user_name
from stepwell.deploying.clients import aws_client
from stepwell.deploying.job import FLOW_FILE
from stepwell.deploying.production import shared_stores
from stepwell.deploying.production_version import ROOTS, Version, read_version
from stepwell.errors import DeployError
from stepwell.execution.stores import Stores


@attrs.frozen
class DeployedCode:
    """The flow file of a deployed version in a folder that goes with this object, and how it was given to `create`."""

    folder: TemporaryDirectory[str]
    file: str
    options: FlowOptions


def fetch_deployed(name: str, settings: Settings) -> DeployedCode:
    """The code of the version that is deployed as the state machine `name`.

    Raises `DeployError`, and errors of sched_sfn and cas_store.
    """
    stores = shared_stores(settings)
    version = _version_of(_read(name, settings), stores)
    _require_own_branch(version, settings)
    file = version.environment[FLOW_FILE]
    code = read_code(stores.content, version.package, {"script": file})
    return DeployedCode(code.extract(), file, read_options(version.environment))


def _read(name: str, settings: Settings) -> Deployment:
    role = settings.require("STEPWELL_SFN_ROLE", "AWS Step Functions")
    found = Deployment(name, {}, role, client=aws_client("stepfunctions", settings)).read()
    if found is None:
        raise DeploymentNotFound(name)
    return found


def _version_of(found: Deployment, stores: Stores) -> Version:
    """The version that the jobs of a state machine are told of."""
    address = rf'"(s3://[^"]*)/({ROOTS}/{re.escape(found.name)}/[0-9a-f]+\.json)"'
    match = re.search(address, json.dumps(found.definition))
    if match is None:
        raise DeployError(
            f"The state machine {found.name} is none that stepwell has deployed: name one that `create` made"
        )
    if match[1] != stores.root:
        raise DeployError(
            f"{found.name} keeps its data in {match[1]}, and the settings say {stores.root}: "
            f"set STEPWELL_DATASTORE_ROOT={match[1]}"
        )
    return read_version(stores, match[2])


def _require_own_branch(version: Version, settings: Settings) -> None:
    """A user's own branch is named after them: commands of somebody else would mean another state machine."""
    if f".user.{version.user}." in version.machine and version.user != user_name(settings):
        raise DeployError(
            f"{version.machine} is a branch of {version.user} alone: deploy it with --branch or --production to share it, "
            f"or set STEPWELL_USER={version.user}"
        )
