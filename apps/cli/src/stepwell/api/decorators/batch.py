"""`@batch`: what the job of a step is, on AWS Batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
from attrs.validators import deep_iterable, deep_mapping, ge, gt, instance_of, le, optional

from stepwell.api.decorators.base import StepDecorator

_text = optional(instance_of(str))
_count = optional([instance_of(int), ge(0)])
_texts = deep_iterable(instance_of(str))


def _several(given: Any) -> Any:
    """One, or a list of them."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _options(given: Any) -> Any:
    """A dictionary, or a list of `name:value`."""
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    pairs = [str(one).partition(":") for one in _several(given)]
    if bad := next((name for name, colon, _ in pairs if not colon), None):
        raise ValueError(f"log_options takes 'name:value', not {bad!r}")
    return {name: value for name, _, value in pairs}


@attrs.frozen
class Batch(StepDecorator):
    """Run a step as an AWS Batch job: in `image`, on `queue`, with `cpu` cores, `memory` and `shared_memory` in MiB.

    - `gpu`, `inferentia` or `trainium`, `efa`: devices. `iam_role`: what the job may do; `execution_role`: what starts it.
    - `max_swap` in MiB, with `swappiness` from 0 to 100. `privileged`: as root of the instance.
    - `host_volumes`: directories of the instance, each seen at the same path; `efs_volumes`: ids of Elastic File Systems, each
      seen at `/mnt/<id>`.
    - `use_tmpfs`: a file system in memory at `tmpfs_path`, of `tmpfs_size` MiB (else half the memory), where temporary files
      go unless `tmpfs_tempdir=False`.
    - `aws_batch_tags`: tags of the job, beside ours. `log_driver`, with `log_options`: where its output goes, beside the
      datastore.
    """

    name: ClassVar[str] = "batch"
    cpu: float | None = attrs.field(default=None, validator=optional([instance_of((int, float)), gt(0.0)]))
    memory: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(4)]))
    gpu: int | None = attrs.field(default=None, validator=_count)
    image: str | None = attrs.field(default=None, validator=_text)
    queue: str | None = attrs.field(default=None, validator=_text)
    iam_role: str | None = attrs.field(default=None, validator=_text)
    execution_role: str | None = attrs.field(default=None, validator=_text)
    shared_memory: int | None = attrs.field(default=None, validator=_count)
    max_swap: int | None = attrs.field(default=None, validator=_count)
    swappiness: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(0), le(100)]))
    inferentia: int | None = attrs.field(default=None, validator=_count)
    trainium: int | None = attrs.field(default=None, validator=_count)
    efa: int | None = attrs.field(default=None, validator=_count)
    host_volumes: tuple[str, ...] = attrs.field(default=(), converter=_several, validator=_texts)
    efs_volumes: tuple[str, ...] = attrs.field(default=(), converter=_several, validator=_texts)
    use_tmpfs: bool = attrs.field(default=False, validator=instance_of(bool))
    tmpfs_tempdir: bool = attrs.field(default=True, validator=instance_of(bool))
    tmpfs_size: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(1)]))
    tmpfs_path: str = attrs.field(default="/stepwell_temp", validator=instance_of(str))
    privileged: bool = attrs.field(default=False, validator=instance_of(bool))
    aws_batch_tags: Mapping[str, str] = attrs.field(
        factory=dict, validator=deep_mapping(instance_of(str), instance_of(str))
    )
    log_driver: str | None = attrs.field(default=None, validator=_text)
    log_options: Mapping[str, str] = attrs.field(factory=dict, converter=_options)

    def __attrs_post_init__(self) -> None:
        if self.swappiness is not None and self.max_swap is None:
            raise ValueError("swappiness goes with max_swap, the MiB of swap space")
        if self.inferentia and self.trainium:
            raise ValueError("a job has chips of one kind: inferentia or trainium")
        if self.log_options and self.log_driver is None:
            raise ValueError("log_options goes with log_driver, whose options they are")
