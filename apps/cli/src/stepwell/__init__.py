"""stepwell: write a workflow as a Python class of steps; run it here or on a cluster; find and resume every execution.

Names are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.api.current import current
    from stepwell.api.decorators.flows import project, schedule
    from stepwell.api.decorators.kinds import batch, catch, environment, resources, retry, secrets, timeout
    from stepwell.api.decorators.user import USER_SKIP_STEP, UserStepDecorator, user_step_decorator
    from stepwell.api.flowspec import FlowSpec, step
    from stepwell.api.included import IncludeFile
    from stepwell.api.parameters import JSONType, Parameter
    from stepwell.client.objects import DataArtifact, Flow, Metaflow, Run, Step, Task, flows
    from stepwell.client.scope import default_namespace, get_namespace, namespace
    from stepwell.running.runner import Runner

__version__ = "0.1.0"

_HOMES = {
    "FlowSpec": "stepwell.api.flowspec",
    "step": "stepwell.api.flowspec",
    "Parameter": "stepwell.api.parameters",
    "IncludeFile": "stepwell.api.included",
    "JSONType": "stepwell.api.parameters",
    "current": "stepwell.api.current",
    "retry": "stepwell.api.decorators.kinds",
    "catch": "stepwell.api.decorators.kinds",
    "timeout": "stepwell.api.decorators.kinds",
    "environment": "stepwell.api.decorators.kinds",
    "project": "stepwell.api.decorators.flows",
    "schedule": "stepwell.api.decorators.flows",
    "secrets": "stepwell.api.decorators.kinds",
    "UserStepDecorator": "stepwell.api.decorators.user",
    "user_step_decorator": "stepwell.api.decorators.user",
    "USER_SKIP_STEP": "stepwell.api.decorators.user",
    "resources": "stepwell.api.decorators.kinds",
    "batch": "stepwell.api.decorators.kinds",
    "Flow": "stepwell.client.objects",
    "Run": "stepwell.client.objects",
    "Step": "stepwell.client.objects",
    "Task": "stepwell.client.objects",
    "DataArtifact": "stepwell.client.objects",
    "Metaflow": "stepwell.client.objects",
    "Runner": "stepwell.running.runner",
    "flows": "stepwell.client.objects",
    "namespace": "stepwell.client.scope",
    "get_namespace": "stepwell.client.scope",
    "default_namespace": "stepwell.client.scope",
}

__all__ = [
    "USER_SKIP_STEP",
    "DataArtifact",
    "Flow",
    "FlowSpec",
    "IncludeFile",
    "JSONType",
    "Metaflow",
    "Parameter",
    "Run",
    "Runner",
    "Step",
    "Task",
    "UserStepDecorator",
    "__version__",
    "batch",
    "catch",
    "current",
    "default_namespace",
    "environment",
    "flows",
    "get_namespace",
    "namespace",
    "project",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "user_step_decorator",
]

_NOT_BUILT_YET = frozenset(
    [
        "Config",
        "ConfigValue",
        "Deployer",
        "FlowMutator",
        "StepMutator",
        "card",
        "conda",
        "config_expr",
        "exit_hook",
        "parallel",
        "pypi",
        "trigger",
        "trigger_on_finish",
    ]
)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        return getattr(import_module(home), name)
    if name in _NOT_BUILT_YET:
        raise ImportError(f"stepwell {__version__} does not have '{name}' yet; see the changelog for what it has")
    raise AttributeError(f"module 'stepwell' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
