"""The step decorators of this version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
from attrs.validators import ge, instance_of, le, optional

from stepwell.api.decorators.base import StepDecorator, usable
from stepwell.api.decorators.batch import Batch

if TYPE_CHECKING:
    from flow_graph import Node

_number = instance_of((int, float))


@attrs.frozen
class Retry(StepDecorator):
    """Try a failed step again: up to `times` more attempts (0 to 4), `minutes_between_retries` apart."""

    name: ClassVar[str] = "retry"
    times: int = attrs.field(default=3, validator=[instance_of(int), ge(0), le(4)])
    minutes_between_retries: float = attrs.field(default=2.0, validator=[_number, ge(0)])


@attrs.frozen
class Catch(StepDecorator):
    """Let the flow go on where a step fails for good: the failure becomes the artifact `var`, None where there is none.

    Retries come first. What the step had assigned before it failed is kept.
    """

    name: ClassVar[str] = "catch"
    var: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    print_exception: bool = attrs.field(default=True, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        if self.var is not None and (not self.var.isidentifier() or self.var.startswith("__")):
            raise ValueError(f"var={self.var!r} is no name of an artifact")

    def why_not_on(self, step: Node) -> str | None:
        """See `StepDecorator`."""
        if step.kind in ("foreach", "switch"):
            return f"a {step.kind} step that failed cannot say where the flow goes on; catch in the steps behind it"
        return None


@attrs.frozen
class Timeout(StepDecorator):
    """Give a step so much time; then `TimeoutException` is raised in it, which `@retry` and `@catch` see."""

    name: ClassVar[str] = "timeout"
    seconds: float = attrs.field(default=0.0, validator=[_number, ge(0)])
    minutes: float = attrs.field(default=0.0, validator=[_number, ge(0)])
    hours: float = attrs.field(default=0.0, validator=[_number, ge(0)])

    def __attrs_post_init__(self) -> None:
        if not self.total:
            raise ValueError("say how long the step may take, as in @timeout(minutes=5)")

    @property
    def total(self) -> float:
        """The time in seconds."""
        return self.seconds + 60 * self.minutes + 3600 * self.hours


def _as_text(variables: Any) -> dict[str, str]:
    if not isinstance(variables, Mapping) or not all(isinstance(name, str) and name for name in variables):
        raise TypeError(f"vars takes a dictionary of variables, not {variables!r}")
    return {name: str(value) for name, value in variables.items()}


@attrs.frozen
class Environment(StepDecorator):
    """Set environment variables for a step, before its process imports the flow: it gets an interpreter of its own."""

    name: ClassVar[str] = "environment"
    vars: Mapping[str, str] = attrs.field(factory=dict, converter=_as_text)


SECRET_TYPES = ("inline", "environment", "aws-secrets-manager")


@attrs.frozen
class SecretSource:
    """Where secrets come from: `type` is the backend, `id` the secret's name there, `role` whom to be to read it."""

    type: str
    id: str = ""
    options: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    role: str | None = None


def _as_sources(given: Any) -> tuple[SecretSource, ...]:
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"sources takes a list, not a {type(given).__name__}")
    return tuple(_as_source(one) for one in given)


def _as_source(given: Any) -> SecretSource:
    if isinstance(given, str):
        kind, dot, name = given.partition(".")
        return SecretSource(kind, name) if dot and kind in SECRET_TYPES else SecretSource("aws-secrets-manager", given)
    if not isinstance(given, Mapping) or not set(given) <= {"type", "id", "options", "role"}:
        raise TypeError("a source is a secret's name, or a dictionary of type, id, options and role")
    if given.get("type") not in SECRET_TYPES:
        raise ValueError(f"a source's type is one of {', '.join(SECRET_TYPES)}, not {given.get('type')!r}")
    return SecretSource(**given)


@attrs.frozen
class Secrets(StepDecorator):
    """Set environment variables of a step from secrets, which are fetched where it runs and are kept nowhere.

    A source is a name in AWS Secrets Manager, `environment.NAME` for a variable that holds JSON, or a dictionary.
    `role` is assumed to read them; a variable that is set already stays, which is an error, unless `allow_override`.
    """

    name: ClassVar[str] = "secrets"
    sources: tuple[SecretSource, ...] = attrs.field(factory=tuple, converter=_as_sources)
    role: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    allow_override: bool = attrs.field(default=False, validator=instance_of(bool))


@attrs.frozen
class Resources(StepDecorator):
    """What a task of a step needs: `cpu` cores, `memory` in MiB, `gpu` devices, `shared_memory` in MiB, `disk` in MB.

    On one machine as many tasks run at once as their cores and their memory, where it is given, leave room for. `shared_memory`
    is the size of `/dev/shm` in a job; `disk` has no effect, and is for flows that say it for other clusters.
    """

    name: ClassVar[str] = "resources"
    cpu: float = attrs.field(default=1.0, validator=[_number, ge(0)])
    memory: int = attrs.field(default=4096, validator=[instance_of(int), ge(4)])
    gpu: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(0)]))
    disk: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(0)]))
    shared_memory: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(0)]))


@attrs.frozen
class Parallel(StepDecorator):
    """Run a step as a gang: `self.next(self.train, num_parallel=4)` starts its tasks at once; see `current.parallel`."""

    name: ClassVar[str] = "parallel"

    def why_not_on(self, step: Node) -> str | None:
        """See `StepDecorator`."""
        return (
            None if step.parallel else "only the flow's source may make a step one of a gang: write @parallel above it"
        )


KINDS: tuple[type[StepDecorator], ...] = (Retry, Catch, Timeout, Environment, Secrets, Resources, Batch, Parallel)

retry = usable(Retry)
catch = usable(Catch)
timeout = usable(Timeout)
environment = usable(Environment)
secrets = usable(Secrets)
resources = usable(Resources)
batch = usable(Batch)
parallel = usable(Parallel)
