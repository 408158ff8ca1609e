"""A flow on the production scheduler: compiled, deployed, started, removed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from cas_store import Reference
from sched_sfn import Deployment, StateMachine

from stepwell.api.configs import configs, names_of
from stepwell.api.definition import FlowDefinition
from stepwell.api.included import IncludeFile
from stepwell.api.parameters import ParameterContext
from stepwell.config import Settings, user_name
from stepwell.deploying.batch import PROJECT_TAG, open_client, queue_of, tag_value
from stepwell.deploying.clients import aws_client
from stepwell.deploying.environment import flow_environment
from stepwell.deploying.job import production_run_id
from stepwell.deploying.package import package_address, upload_package
from stepwell.deploying.production_failure import failure_machine
from stepwell.deploying.production_input import execution_input
from stepwell.deploying.production_machine import Limits, compile_flow, definition_spec
from stepwell.deploying.production_starters import Wanted, apply_starters, open_starters, wanted_starters
from stepwell.deploying.production_tokens import Owned, TokenRequest, require_token, token_to_deploy
from stepwell.deploying.production_version import Version, forget_versions, is_kept, keep_version
from stepwell.errors import NotFound, SettingsError
from stepwell.execution.claims import save_values
from stepwell.execution.stores import Stores, open_stores
from stepwell.suggesting import python_command

FLOW_TAG, TOKEN_TAG, USER_TAG, STARTERS_TAG, ENDED_BY_TAG = (
    f"stepwell:{what}" for what in ("flow", "token", "user", "starters", "ended-by")
)


@attrs.frozen
class Wish:
    """What a command line says of a deployment, beside the flow: its limits, tags of its runs, tokens."""

    limits: Limits = attrs.field(factory=Limits)
    tags: tuple[str, ...] = ()
    token: TokenRequest = attrs.field(factory=TokenRequest)


@attrs.frozen
class Deployed:
    """A deployment after `deploy`: what was done to it, and how it is started by itself."""

    deployment: Deployment
    applied: str
    machine: StateMachine
    token: str
    starters: Wanted

    @property
    def name(self) -> str:
        """The state machine's name."""
        return self.deployment.name


def machine_name(flow: FlowDefinition, settings: Settings) -> str:
    """The name of the flow's state machine; one with `@project` has one for each branch."""
    project = flow.project(user_name(settings))
    return f"{settings.get('STEPWELL_SFN_PREFIX') or ''}{project.project_flow_name if project else flow.name}"


def preview(flow: FlowDefinition, settings: Settings, wish: Wish | None = None) -> StateMachine:
    """The state machine that `deploy` would deploy; nothing is uploaded or registered, and AWS is only asked for the token."""
    wish = wish or Wish()
    stores, blank = shared_stores(settings), _blank(flow, settings)
    found = blank.read()
    token = wish.token.new_token or (found.tags.get(TOKEN_TAG) if found else None) or "not-deployed-yet"
    version = _version(flow, settings, stores, wish, blank, token)
    return compile_flow(flow, settings, stores, version.name, wish.limits)


def deploy(flow: FlowDefinition, settings: Settings, wish: Wish | None = None) -> Deployed:
    """Upload the code, register the job definitions, create or change the state machine and what starts it.

    The same content changes nothing, and then three calls have read that. What the deployment keeps alive in the datastore is
    noted before anything is uploaded, so that a collection beside it takes nothing away. Raises `NotAuthorized` where somebody
    else has deployed it, and errors of sched_sfn.
    """
    wish = wish or Wish()
    stores, blank = shared_stores(settings), _blank(flow, settings)
    found = blank.read()
    token = token_to_deploy(blank.name, _owned(found), settings, wish.token)
    version = _version(flow, settings, stores, wish, blank, token)
    machine = compile_flow(flow, settings, stores, version.name, wish.limits)
    ending = _failure_deployment(flow, settings, stores, blank)
    starters = wanted_starters(flow, settings, blank.arn, ending.arn if ending else None)
    deployment = Deployment(
        blank.name,
        machine,
        blank.role_arn,
        log_group_arn=settings.get("STEPWELL_SFN_LOG_GROUP"),
        tags=_tags(flow, settings, token, starters, ending),
        client=blank.client,
    )
    if deployment.is_applied(found) and is_kept(stores, version):
        return Deployed(deployment, "unchanged", machine, token, starters)
    if starters.digest or (found and found.tags.get(STARTERS_TAG)):
        _events_role(settings)  # asked for before anything is changed
    keep_version(stores, version)
    _prepare_jobs(flow, settings, stores)
    applied = _apply(deployment, ending, settings, starters, found)
    return Deployed(deployment, applied, machine, token, starters)


def start(flow: FlowDefinition, settings: Settings, values: Mapping[str, Any]) -> str:
    """Start a run of the deployed flow with these parameter values, the others as deployed; gives the run's id."""
    data = execution_input(flow, shared_stores(settings), values)
    return production_run_id(find_deployment(flow, settings).start(data).name)


def delete(flow: FlowDefinition, settings: Settings, authorize: str | None = None) -> str:
    """Remove the deployed flow, what starts it, and what kept its code alive; gives the state machine's name.

    Job definitions stay: flows share them, and they cost nothing.
    """
    deployment = find_deployment(flow, settings)
    require_own(deployment, settings, authorize)
    if role := settings.get("STEPWELL_EVENTS_ROLE"):
        open_starters(deployment.name, settings, role).delete()
    if deployment.tags.get(ENDED_BY_TAG):
        _ending(deployment, {}).delete()
    deployment.delete()
    forget_versions(shared_stores(settings), deployment.name)
    return deployment.name


def find_or_none(flow: FlowDefinition, settings: Settings) -> Deployment | None:
    """The flow's deployment as it is in the account, or None."""
    return _blank(flow, settings).read()


def find_deployment(flow: FlowDefinition, settings: Settings) -> Deployment:
    """The flow's deployment as it is in the account; raises `NotFound`."""
    found = find_or_none(flow, settings)
    if found is None:
        name = machine_name(flow, settings)
        raise NotFound(
            f"{flow.name} is not deployed: there is no state machine '{name}' in this account and region.\n"
            f"Deploy it with: {python_command(flow.file.name)} step-functions create"
        )
    return found


def describe_deployment(flow: FlowDefinition, settings: Settings) -> dict[str, Any]:
    """What is deployed: its names, who deployed it, its production token, and when it starts by itself."""
    found = find_deployment(flow, settings)
    role = settings.get("STEPWELL_EVENTS_ROLE")
    cron = open_starters(found.name, settings, role).schedule() if role and found.tags.get(STARTERS_TAG) else None
    return {
        "state_machine": found.name,
        "arn": found.arn,
        "deployed_by": found.tags.get(USER_TAG),
        "token": found.tags.get(TOKEN_TAG),
        "schedule": f"{cron.expression} ({cron.timezone})" if cron else None,
    }


def _blank(flow: FlowDefinition, settings: Settings) -> Deployment:
    """The flow's deployment, with nothing in it yet."""
    role = settings.require("STEPWELL_SFN_ROLE", "AWS Step Functions")
    return Deployment(machine_name(flow, settings), {}, role, client=aws_client("stepfunctions", settings))


def require_own(deployment: Deployment, settings: Settings, authorize: str | None) -> None:
    """Raise `NotAuthorized` where a deployment is somebody else's and its token was not given."""
    if owned := _owned(deployment):
        require_token(owned, settings, authorize)


def _owned(found: Deployment | None) -> Owned | None:
    """Whose a state machine is; None where there is none, or none of ours."""
    if found is None or TOKEN_TAG not in found.tags:
        return None
    return Owned(found.name, found.tags[TOKEN_TAG], found.tags.get(USER_TAG))


def shared_stores(settings: Settings) -> Stores:
    """The datastore of production runs; raises `SettingsError` where jobs could not reach it, or tell of their work."""
    if settings.get("STEPWELL_METADATA") != "service":
        raise SettingsError(
            "Production runs are recorded in the metadata service: set STEPWELL_METADATA=service and STEPWELL_SERVICE_URL"
        )
    stores = open_stores(settings)
    if stores.is_local:
        raise SettingsError("Production runs keep their data on S3: add --datastore s3, with STEPWELL_DATASTORE_ROOT")
    return stores


def _version(
    flow: FlowDefinition, settings: Settings, stores: Stores, wish: Wish, blank: Deployment, token: str
) -> Version:
    digest, url = package_address(flow.file, stores, settings)
    return Version(
        flow=flow.name,
        machine=blank.name,
        machine_arn=blank.arn,
        package=digest,
        user=user_name(settings),
        token=token,
        environment={**flow_environment(flow, stores.root, (digest, url), settings), **flow.options.to_environment()},
        parameters=_decided(flow, settings, stores),
        tags=wish.tags,
        notify_url=settings.get("STEPWELL_NOTIFY_URL"),
    )


def _decided(flow: FlowDefinition, settings: Settings, stores: Stores) -> dict[str, Reference]:
    """What is decided when a flow is deployed: what default functions give, the content of included files, configs."""
    context = ParameterContext(
        flow.name, user_name(settings), ds_type="s3", configs=names_of(configs(flow.cls), flow.configs)
    )
    values = {
        name: parameter.value(None, context)
        for name, parameter in flow.parameters.items()
        if callable(parameter.default) or (isinstance(parameter, IncludeFile) and parameter.default is not None)
    }
    return {**save_values(stores, values, "parameter"), **save_values(stores, flow.configs, "config")}


def _prepare_jobs(flow: FlowDefinition, settings: Settings, stores: Stores) -> None:
    upload_package(flow.file, stores, settings)
    batch = open_client(settings, queue_of(flow, flow.graph.start, settings))  # definitions are of no queue
    for node in flow.graph:
        batch.definition(definition_spec(flow, node.name, settings))


def _failure_deployment(
    flow: FlowDefinition, settings: Settings, stores: Stores, deployment: Deployment
) -> Deployment | None:
    """The machine that ends failed runs; none where EventBridge may start nothing."""
    if settings.get("STEPWELL_EVENTS_ROLE") is None:
        return None
    definition = failure_machine(flow.name, flow.file.name, stores, settings.get("STEPWELL_NOTIFY_TOPIC"))
    return _ending(deployment, definition)


def _ending(deployment: Deployment, definition: Mapping[str, Any]) -> Deployment:
    return Deployment(f"{deployment.name[:74]}-ended", definition, deployment.role_arn, client=deployment.client)


def _tags(
    flow: FlowDefinition, settings: Settings, token: str, starters: Wanted, ending: Deployment | None
) -> dict[str, str]:
    """The state machine's tags: among them what tells whether anything beside it would change."""
    digest = hashlib.sha256(json.dumps(ending.definition).encode()).hexdigest()[:24] if ending else ""
    tags = {
        FLOW_TAG: flow.name,
        TOKEN_TAG: token,
        USER_TAG: tag_value(user_name(settings)),
        STARTERS_TAG: starters.digest,
        ENDED_BY_TAG: digest,
    }
    if project := flow.project(user_name(settings)):
        tags[PROJECT_TAG] = project.project_name
    return tags


def _apply(
    deployment: Deployment, ending: Deployment | None, settings: Settings, starters: Wanted, found: Deployment | None
) -> str:
    """Make the machine and what is beside it what they should be.

    The tags that tell of what is beside it are set last: where that fails half-way, the next `deploy` must not take it for done.
    """
    beside = {name: deployment.tags[name] for name in (STARTERS_TAG, ENDED_BY_TAG)}
    before = {name: found.tags.get(name, "") if found else "" for name in beside}
    deployment.tags.update(before)
    applied = deployment.apply()
    if ending:
        ending.apply()
    if starters.digest != before[STARTERS_TAG]:
        apply_starters(open_starters(deployment.name, settings, _events_role(settings)), deployment.arn, starters)
    if beside != before:
        deployment.tags.update(beside)
        deployment.apply()
    return "updated" if applied == "unchanged" else applied


def _events_role(settings: Settings) -> str:
    return settings.require("STEPWELL_EVENTS_ROLE", "A flow that starts by itself")
