"""Flow decorators: what a flow as a whole says of itself. They are frozen values attached to the class."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import attrs
from attrs.validators import instance_of, max_len, optional

from stepwell.api.decorators.base import Late, written
from stepwell.api.decorators.cron import why_no_cron
from stepwell.errors import DecoratorError

ATTACHED = "_stepwell_flow_decorators"


@attrs.frozen
class FlowDecorator:
    """Base of the flow decorators."""

    name: ClassVar[str]


FD = TypeVar("FD", bound=FlowDecorator)
AnyFlowDecorator = FlowDecorator | Late[FlowDecorator]
_PROJECT_NAME = re.compile(r"[a-z0-9_]+")
_MOST_CHARACTERS = 128
_BRANCH_NAME = re.compile(r"[a-zA-Z0-9_.-]+")


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[Any, Any, Any], None]:
    def check(instance: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"{attribute.name}={value!r} may hold {what} only")

    return check


@attrs.frozen
class ProjectFacts:
    """Where a run belongs: what `current` says in a flow with `@project`."""

    project_name: str
    branch_name: str
    is_user_branch: bool
    is_production: bool
    project_flow_name: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The system tags of a run."""
        return (f"project:{self.project_name}", f"project_branch:{self.branch_name}")


@attrs.frozen
class Project(FlowDecorator):
    """Give flows that belong together a name, and keep apart what people try, what is tested and what is in production.

    The branch is `user.<name>`, with `--branch b` `test.b`, with `--production` `prod`, with both `prod.b`.
    """

    name: ClassVar[str] = "project"
    project: str = attrs.field(alias="name", validator=[_matching(_PROJECT_NAME, "a-z, 0-9 and _"), max_len(128)])
    branch: str | None = attrs.field(
        default=None,
        validator=optional([_matching(_BRANCH_NAME, "letters, digits, _, - and ."), max_len(_MOST_CHARACTERS)]),
    )
    production: bool = attrs.field(default=False, validator=instance_of(bool))

    def facts(self, flow: str, user: str, branch: str | None, production: bool) -> ProjectFacts:
        """Where a run of `flow` by `user` belongs; `branch` and `production` are what the command line says."""
        given, production = branch or self.branch, production or self.production
        if branch and not (_BRANCH_NAME.fullmatch(branch) and len(branch) <= _MOST_CHARACTERS):
            raise DecoratorError(
                f"--branch {branch!r}: a branch's name has letters, digits, _, - and . only, and at most {_MOST_CHARACTERS}"
            )
        kind = "prod" if production else "test" if given else "user"
        name = ".".join(filter(None, (kind, user if kind == "user" else given)))
        return ProjectFacts(
            project_name=self.project,
            branch_name=name,
            is_user_branch=not production and not given,
            is_production=production,
            project_flow_name=f"{self.project}.{name}.{flow}",
        )


@attrs.frozen
class Schedule(FlowDecorator):
    """When the deployed flow starts by itself: `hourly`, `daily`, `weekly`, or `cron`, AWS's with six fields, in UTC."""

    name: ClassVar[str] = "schedule"
    cron: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    weekly: bool = attrs.field(default=False, validator=instance_of(bool))
    daily: bool = attrs.field(default=True, validator=instance_of(bool))
    hourly: bool = attrs.field(default=False, validator=instance_of(bool))
    timezone: str | None = attrs.field(default=None, validator=optional(instance_of(str)))

    def __attrs_post_init__(self) -> None:
        if wrong := why_no_cron(self.expression):
            raise ValueError(wrong)

    @property
    def expression(self) -> str:
        """The cron expression: `cron` goes before `weekly`, that before `hourly`, that before `daily`."""
        if self.cron is not None:
            return self.cron
        if self.weekly:
            return "0 0 ? * SUN *"
        if self.hourly:
            return "0 * * * ? *"
        if self.daily:
            return "0 0 * * ? *"
        return ""


def _usable(kind: type[FlowDecorator]) -> Callable[..., Any]:
    def decorate(cls: Any = None, /, **attributes: Any) -> Any:
        if cls is not None and not isinstance(cls, type):
            first = attrs.fields(kind)[0].alias
            raise DecoratorError(f"@{kind.name} takes its attributes by name: @{kind.name}({first}=...)")
        made = written(kind, attributes)
        return _attach(cls, made) if cls is not None else lambda flow: _attach(flow, made)

    decorate.__name__ = kind.name
    decorate.__doc__ = kind.__doc__
    decorate.kind = kind  # type: ignore[attr-defined]
    return decorate


def _attach(cls: Any, decorator: AnyFlowDecorator) -> Any:
    if not isinstance(cls, type):
        raise DecoratorError(f"@{decorator.name} goes above a flow's class, not above a step")
    own: tuple[AnyFlowDecorator, ...] = vars(cls).get(ATTACHED, ())
    if any(one.name == decorator.name for one in own):
        raise DecoratorError(f"Flow '{cls.__name__}' has @{decorator.name} twice; keep one")
    setattr(cls, ATTACHED, (*own, decorator))
    return cls


def attached_to_flow(cls: type) -> dict[str, AnyFlowDecorator]:
    """The decorators of a flow by name; a class's own go before those that it inherits."""
    found: dict[str, AnyFlowDecorator] = {}
    for base in cls.__mro__:
        for decorator in vars(base).get(ATTACHED, ()):
            found.setdefault(decorator.name, decorator)
    return found


project = _usable(Project)
schedule = _usable(Schedule)
