"""stepwell: write a workflow as a Python class of steps; run it here or on a cluster; find and resume every execution.

Names are imported when they are first used, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.api.config_value import ConfigValue
    from stepwell.api.configs import Config
    from stepwell.api.current import current
    from stepwell.api.decorators.exit_hooks import exit_hook
    from stepwell.api.decorators.flows import project, schedule
    from stepwell.api.decorators.kinds import batch, catch, environment, parallel, resources, retry, secrets, timeout
    from stepwell.api.decorators.mutators import FlowMutator, StepMutator
    from stepwell.api.decorators.triggers import trigger, trigger_on_finish
    from stepwell.api.decorators.user import USER_SKIP_STEP, UserStepDecorator, user_step_decorator
    from stepwell.api.expressions import config_expr
    from stepwell.api.flowspec import FlowSpec, step
    from stepwell.api.included import IncludeFile
    from stepwell.api.parameters import JSONType, Parameter
    from stepwell.client.objects import DataArtifact, Flow, Metaflow, Run, Step, Task, flows
    from stepwell.client.scope import (
        default_metadata,
        default_namespace,
        get_metadata,
        get_namespace,
        metadata,
        namespace,
    )
    from stepwell.running.deployer import DeployedFlow, Deployer
    from stepwell.running.runner import Runner

__version__ = "0.1.0"

_HOMES = {
    "FlowSpec": "stepwell.api.flowspec",
    "step": "stepwell.api.flowspec",
    "Parameter": "stepwell.api.parameters",
    "IncludeFile": "stepwell.api.included",
    "JSONType": "stepwell.api.parameters",
    "Config": "stepwell.api.configs",
    "ConfigValue": "stepwell.api.config_value",
    "config_expr": "stepwell.api.expressions",
    "FlowMutator": "stepwell.api.decorators.mutators",
    "StepMutator": "stepwell.api.decorators.mutators",
    "current": "stepwell.api.current",
    "retry": "stepwell.api.decorators.kinds",
    "catch": "stepwell.api.decorators.kinds",
    "timeout": "stepwell.api.decorators.kinds",
    "environment": "stepwell.api.decorators.kinds",
    "exit_hook": "stepwell.api.decorators.exit_hooks",
    "project": "stepwell.api.decorators.flows",
    "schedule": "stepwell.api.decorators.flows",
    "trigger": "stepwell.api.decorators.triggers",
    "trigger_on_finish": "stepwell.api.decorators.triggers",
    "secrets": "stepwell.api.decorators.kinds",
    "UserStepDecorator": "stepwell.api.decorators.user",
    "user_step_decorator": "stepwell.api.decorators.user",
    "USER_SKIP_STEP": "stepwell.api.decorators.user",
    "resources": "stepwell.api.decorators.kinds",
    "batch": "stepwell.api.decorators.kinds",
    "parallel": "stepwell.api.decorators.kinds",
    "Flow": "stepwell.client.objects",
    "Run": "stepwell.client.objects",
    "Step": "stepwell.client.objects",
    "Task": "stepwell.client.objects",
    "DataArtifact": "stepwell.client.objects",
    "Metaflow": "stepwell.client.objects",
    "Runner": "stepwell.running.runner",
    "DeployedFlow": "stepwell.running.deployer",
    "Deployer": "stepwell.running.deployer",
    "flows": "stepwell.client.objects",
    "namespace": "stepwell.client.scope",
    "get_namespace": "stepwell.client.scope",
    "default_namespace": "stepwell.client.scope",
    "metadata": "stepwell.client.scope",
    "get_metadata": "stepwell.client.scope",
    "default_metadata": "stepwell.client.scope",
}

__all__ = [
    "USER_SKIP_STEP",
    "Config",
    "ConfigValue",
    "DataArtifact",
    "DeployedFlow",
    "Deployer",
    "Flow",
    "FlowMutator",
    "FlowSpec",
    "IncludeFile",
    "JSONType",
    "Metaflow",
    "Parameter",
    "Run",
    "Runner",
    "Step",
    "StepMutator",
    "Task",
    "UserStepDecorator",
    "__version__",
    "batch",
    "catch",
    "config_expr",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "exit_hook",
    "flows",
    "get_metadata",
    "get_namespace",
    "metadata",
    "namespace",
    "parallel",
    "project",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        try:
            return getattr(import_module(home), name)
        except (ImportError, AttributeError) as error:
            _refuse_a_shadow(error)
            raise
    if name == "exception":
        return import_module("stepwell.exception")
    from stepwell.absent import INSTEAD, refusal

    if name in INSTEAD:
        raise ImportError(refusal(name))
    raise AttributeError(f"module 'stepwell' has no attribute '{name}'")


def _refuse_a_shadow(error: Exception) -> None:
    """Say so where the program has the name of a module of Python's own, which thus imports the program instead."""
    import sys

    file = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    stem = file.rpartition("/")[2].removesuffix(".py")
    if stem in sys.stdlib_module_names and getattr(sys.modules.get(stem), "__file__", None) == file:
        raise ImportError(
            f"{file} has the name of a module of Python's own, which cannot be imported now: rename it"
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
