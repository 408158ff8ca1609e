"""The step decorators of this version."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import ge, instance_of, le, optional

from stepwell.api.decorators.base import StepDecorator, usable

_number = instance_of((int, float))


@attrs.frozen
class Retry(StepDecorator):
    """Try a failed step again: up to `times` more attempts (0 to 4), `minutes_between_retries` apart."""

    name: ClassVar[str] = "retry"
    times: int = attrs.field(default=3, validator=[instance_of(int), ge(0), le(4)])
    minutes_between_retries: float = attrs.field(default=2.0, validator=[_number, ge(0)])


@attrs.frozen
class Resources(StepDecorator):
    """What a step needs from a cluster: `cpu` cores, `memory` in MiB, `gpu` devices. No effect on a laptop."""

    name: ClassVar[str] = "resources"
    cpu: float = attrs.field(default=1.0, validator=[_number, ge(0)])
    memory: int = attrs.field(default=4096, validator=[instance_of(int), ge(4)])
    gpu: int | None = attrs.field(default=None, validator=optional(instance_of(int)))


@attrs.frozen
class Batch(StepDecorator):
    """Run a step as an AWS Batch job: in `image`, on `queue`, with `cpu` cores and `memory` in MiB."""

    name: ClassVar[str] = "batch"
    cpu: float | None = attrs.field(default=None, validator=optional(_number))
    memory: int | None = attrs.field(default=None, validator=optional(instance_of(int)))
    gpu: int | None = attrs.field(default=None, validator=optional(instance_of(int)))
    image: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    queue: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    iam_role: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    execution_role: str | None = attrs.field(default=None, validator=optional(instance_of(str)))


KINDS: tuple[type[StepDecorator], ...] = (Retry, Resources, Batch)

retry = usable(Retry)
resources = usable(Resources)
batch = usable(Batch)
