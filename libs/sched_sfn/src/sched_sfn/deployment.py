"""A machine in an account: created, changed, started, deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sched_sfn import arguments, quotas
from sched_sfn.aws import Client, calling, given_client, make_client
from sched_sfn.errors import DeploymentNotFound, ExecutionExists, InvalidArgument, InvalidName
from sched_sfn.execution import Execution
from sched_sfn.machine import StateMachine, to_json

A_MACHINE = arguments.instance(StateMachine, Mapping, must="a StateMachine, as compile_machine makes it, or a mapping")
TAGS = arguments.by_text(arguments.text, "a mapping from texts to texts")
Applied = Literal["created", "updated", "unchanged"]


class Deployment:
    """A state machine in the account and region of the client, under a name. Constructing one sends nothing.

    - `machine`: a StateMachine, or a definition as plain data.
    - `role_arn`: the role that the machine takes; it is in the machine's own account.
    - `log_group_arn`: where AWS writes the events of executions, with their data; nowhere if left out.
    - `tags`: set on the state machine; other tags that it has are left alone.
    - `client`: the caller's boto3 client of Step Functions; else one is made from the environment, with `endpoint_url`.

    Every method may raise ServiceError. Raises InvalidName, InvalidArgument.
    """

    def __init__(
        self,
        name: str,
        machine: StateMachine | Mapping[str, Any],
        role_arn: str,
        *,
        log_group_arn: str | None = None,
        tags: Mapping[str, str] | None = None,
        client: Client | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        self.name = quotas.check_name("a state machine", name)
        A_MACHINE("Deployment's machine", machine)
        arguments.optional(arguments.text)("Deployment's log_group_arn", log_group_arn)
        arguments.optional(TAGS)("Deployment's tags", tags)
        self.definition = dict(machine.definition if isinstance(machine, StateMachine) else machine)
        self.role_arn = check_role(role_arn)
        self.log_group_arn = log_group_arn.removesuffix(":*") if log_group_arn else None
        self.tags = dict(tags or {})
        self.client = given_client(client) if client is not None else make_client(endpoint_url)

    @classmethod
    def get(cls, name: str, *, client: Client | None = None, endpoint_url: str | None = None) -> Deployment:
        """The deployment of that name, with definition, role, log group and tags as they are in the account.

        Raises DeploymentNotFound.
        """
        arguments.name("Deployment's name", name)
        client = given_client(client) if client is not None else make_client(endpoint_url)
        found, tags = read_machine(client, name, find_machine(client, name))
        return cls(
            name,
            json.loads(found["definition"]),
            found["roleArn"],
            log_group_arn=log_group_of(found),
            tags=tags,
            client=client,
        )

    def __repr__(self) -> str:
        return f"<Deployment {self.arn}>"

    @property
    def arn(self) -> str:
        """The ARN of the state machine, whether or not it exists yet: it lies in the account of its role."""
        _, partition, _, _, account, *_ = self.role_arn.split(":")
        return f"arn:{partition}:states:{self.client.meta.region_name}:{account}:stateMachine:{self.name}"

    def read(self) -> Deployment | None:
        """The deployment of this name as it is in the account, or None: two calls."""
        try:
            found, tags = read_machine(self.client, self.name, self.arn)
        except DeploymentNotFound:
            return None
        definition, log_group = json.loads(found["definition"]), log_group_of(found)
        return Deployment(
            self.name, definition, found["roleArn"], log_group_arn=log_group, tags=tags, client=self.client
        )

    def is_applied(self, found: Deployment | None) -> bool:
        """Whether what `read` found is the same as this one."""
        return found is not None and self._same_machine(found) and not self._other_tags(found)

    def apply(self) -> Applied:
        """Create the state machine, or make it the same as this one; says which. Executions under way keep their definition.

        Of an unchanged machine it reads only: two calls.
        """
        found = self.read()
        if found is None:
            self._create()
            return "created"
        if self.is_applied(found):
            return "unchanged"
        if not self._same_machine(found):
            self._update()
        if changed := self._other_tags(found):
            self._tag(changed)
        return "updated"

    def _same_machine(self, other: Deployment) -> bool:
        def settings(one: Deployment) -> tuple[Any, ...]:
            return one.definition, one.role_arn, one.log_group_arn

        return settings(self) == settings(other)

    def _other_tags(self, found: Deployment) -> dict[str, str]:
        return {key: value for key, value in self.tags.items() if found.tags.get(key) != value}

    def start(self, input: Any = None, name: str | None = None) -> Execution:  # noqa: A002 - as AWS calls it
        """Start an execution with this input (JSON-able, an empty object by default).

        With a name, starting is idempotent while it runs: the same name and input give the same execution. Raises
        InvalidName, QuotaExceeded (input above 256 KiB), ExecutionExists, DeploymentNotFound.
        """
        text = as_json(input)
        size = len(text.encode())
        quotas.require(
            "The input", "bytes of a state's payload", quotas.PAYLOAD, size, "Put it on S3, and pass its address."
        )
        more = {} if name is None else {"name": quotas.check_name("an execution", name)}
        with calling(
            f"start the state machine {self.name!r}",
            StateMachineDoesNotExist=DeploymentNotFound(self.name),
            ExecutionAlreadyExists=ExecutionExists(self.name, name or ""),
        ):
            started = self.client.start_execution(stateMachineArn=self.arn, input=text, **more)
        return Execution(started["executionArn"], self.client, input=json.loads(text), started=started["startDate"])

    def execution(self, name: str) -> Execution:
        """The execution of that name. Raises ServiceError if there is none."""
        arguments.name("The name of an execution", name)
        arn = self.arn.replace(":stateMachine:", ":execution:")
        return Execution(f"{arn}:{name}", self.client).refresh()

    def executions(self, status: str | None = None) -> Iterator[Execution]:
        """The executions, the latest first, of one status if it is given; without their input and output. In pages."""
        more = {} if status is None else {"statusFilter": status}
        with calling(f"list executions of {self.name!r}", StateMachineDoesNotExist=DeploymentNotFound(self.name)):
            for page in self.client.get_paginator("list_executions").paginate(stateMachineArn=self.arn, **more):
                for found in page["executions"]:
                    yield Execution(
                        found["executionArn"],
                        self.client,
                        found["status"],
                        started=found["startDate"],
                        ended=found.get("stopDate"),
                    )

    def delete(self) -> None:
        """Delete the state machine. Nothing happens if there is none.

        AWS ends executions under way at their next transition, and keeps the name until then.
        """
        with calling(f"delete the state machine {self.name!r}"):
            self.client.delete_state_machine(stateMachineArn=self.arn)

    def _create(self) -> None:
        with calling(f"create the state machine {self.name!r}"):
            self.client.create_state_machine(name=self.name, tags=as_list(self.tags), **self._settings())

    def _update(self) -> None:
        with calling(f"change the state machine {self.name!r}"):
            self.client.update_state_machine(stateMachineArn=self.arn, **self._settings())

    def _tag(self, tags: Mapping[str, str]) -> None:
        with calling(f"tag the state machine {self.name!r}"):
            self.client.tag_resource(resourceArn=self.arn, tags=as_list(tags))

    def _settings(self) -> dict[str, Any]:
        text = to_json(self.definition, indent=None)
        size = len(text.encode())
        quotas.require(
            f"The machine {self.name!r}", "bytes of a definition", quotas.DEFINITION, size, "Divide the flow."
        )
        return {"definition": text, "roleArn": self.role_arn, "loggingConfiguration": logging_to(self.log_group_arn)}


def check_role(arn: str) -> str:
    """The ARN of a role. Raises InvalidName."""
    if not isinstance(arn, str) or not re.fullmatch(r"arn:[^:]+:iam::\d+:role/.+", arn):
        raise InvalidName("a role", arn, "an ARN looks like arn:aws:iam::123456789012:role/name")
    return arn


def as_json(data: Any) -> str:
    """The input of an execution as it is sent. Raises InvalidArgument."""
    try:
        return json.dumps({} if data is None else data, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgument("The input", data, f"what JSON can hold ({error})") from error


def find_machine(client: Client, name: str) -> str:
    """The ARN of the state machine of that name. Raises DeploymentNotFound."""
    with calling("list the state machines"):
        for page in client.get_paginator("list_state_machines").paginate():
            for found in page["stateMachines"]:
                if found["name"] == name:
                    return str(found["stateMachineArn"])
    raise DeploymentNotFound(name)


def read_machine(client: Client, name: str, arn: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A state machine as AWS describes it, and its tags. Raises DeploymentNotFound."""
    absent = DeploymentNotFound(name)
    with calling(f"read the state machine {name!r}", StateMachineDoesNotExist=absent, ResourceNotFound=absent):
        found = client.describe_state_machine(stateMachineArn=arn)
        tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    if found["status"] == "DELETING":
        raise absent
    return found, {tag["key"]: tag["value"] for tag in tags}


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS wants them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def logging_to(log_group_arn: str | None) -> dict[str, Any]:
    """The logging configuration of a state machine."""
    if log_group_arn is None:
        return {"level": "OFF", "includeExecutionData": False, "destinations": []}
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": f"{log_group_arn}:*"}}
    return {"level": "ALL", "includeExecutionData": True, "destinations": [destination]}


def log_group_of(machine: Mapping[str, Any]) -> str | None:
    """The ARN of the log group of a state machine that AWS described."""
    for destination in machine.get("loggingConfiguration", {}).get("destinations", []):
        return str(destination["cloudWatchLogsLogGroup"]["logGroupArn"]).removesuffix(":*")
    return None
