"""Service integrations of the Step Functions interpreter in moto.

moto took LocalStack's interpreter and emptied the two methods that translate names between the state language
(``JobName``) and botocore (``jobName``): without them neither ``batch:submitJob`` nor ``aws-sdk:*`` can work. Beside that:
dates and streams in responses become JSON, S3 may be another server than moto, and a job is ended with its execution.
"""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping
from typing import Any

from .moto_patching import asl, moto, replace_function

SERVICES = "component.state.exec.state_task.service"
SECONDS_BETWEEN_LOOKS = 0.02


def repair_services(variables: Mapping[str, str]) -> None:
    """``variables`` are the jobs': ``AWS_ENDPOINT_URL_<SERVICE>`` among them holds for the interpreter, too."""
    _repair_names()
    _repair_responses()
    _repair_error_names()
    _redirect_clients(variables)
    _end_jobs_with_their_execution()


def plain(value: Any) -> Any:
    """A value of a botocore response as the state language shows it."""
    if hasattr(value, "read") and not isinstance(value, (str, bytes)):
        return value.read().decode("utf-8")
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _repair_names() -> None:
    import botocore.session

    session = botocore.session.get_session()
    module = asl(f"{SERVICES}.state_task_service")
    service_class = module.StateTaskService

    def shape(task: Any, kind: str, service: str | None, action: str | None) -> Any:
        model = session.get_service_model(task._get_boto_service_name(service))
        wanted = task._get_boto_service_action(action)
        for name in model.operation_names:
            if module.camel_to_snake_case(name) == wanted:
                return getattr(model.operation_model(name), kind)
        raise RuntimeError(f"no action {wanted} in {model.service_name}")

    def parameters(
        self: Any, parameters: dict[str, Any], boto_service_name: Any = None, service_action_name: Any = None
    ) -> None:
        if (found := shape(self, "input_shape", boto_service_name, service_action_name)) is not None:
            self._to_boto_request(parameters, found)

    def response(self: Any, response: Any, boto_service_name: Any = None, service_action_name: Any = None) -> None:
        if (found := shape(self, "output_shape", boto_service_name, service_action_name)) is not None:
            self._from_boto_response(response, found)

    service_class._normalise_parameters = parameters
    service_class._normalise_response = response


def _repair_responses() -> None:
    service_class = asl(f"{SERVICES}.state_task_service").StateTaskService
    old_value, old_response = service_class._from_boto_response_value, service_class._from_boto_response

    def value(response_value: Any) -> Any:
        if hasattr(response_value, "read") or isinstance(response_value, datetime.datetime):
            return plain(response_value)
        return old_value(response_value)

    def response(self: Any, response: Any, shape: Any) -> None:
        old_response(self, response, shape)
        if isinstance(response, dict):
            for key, item in response.items():
                if isinstance(item, datetime.datetime):
                    response[key] = plain(item)

    class Json:
        """What an execution returns may hold dates: ``$$.Execution.StartTime``, listings of S3."""

        loads = staticmethod(json.loads)
        JSONDecodeError = json.JSONDecodeError

        @staticmethod
        def dumps(value: Any, **options: Any) -> str:
            return json.dumps(value, **{"default": plain, **options})

    service_class._from_boto_response_value = staticmethod(value)
    service_class._from_boto_response = response
    moto("stepfunctions.responses").json = Json


def _repair_error_names() -> None:
    """``S3.NoSuchKeyException``: the prefix is botocore's service id."""
    import botocore.session

    session = botocore.session.get_session()
    service_class = asl(f"{SERVICES}.state_task_service_aws_sdk").StateTaskServiceAwsSdk
    renamed = service_class._SERVICE_NAME_SFN_TO_BOTO_OVERRIDES

    def service_id(name: str) -> str:
        return str(session.get_service_model(renamed.get(name, name)).service_id).replace(" ", "")

    service_class._normalise_service_error_name = staticmethod(service_id)


def _redirect_clients(variables: Mapping[str, str]) -> None:
    import boto3

    original = asl("utils.boto_client").boto_client_for

    @functools.cache  # moto makes one for each call, which takes longer than the call
    def client_of(region: str, service: str) -> Any:
        address = variables.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}")
        if address is None:
            return original(region=region, service=service)
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=address,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return client_of(region, service)  # roles are not assumed here

    replace_function("boto_client_for", client_for)


def _end_jobs_with_their_execution() -> None:
    """On AWS a job that ``.sync`` waits for is terminated when its state times out or the execution is stopped."""
    callbacks = asl("eval.callback.callback")
    timeouts = (callbacks.CallbackOutcomeTimedOut, callbacks.HeartbeatTimedOut)
    service_class = asl(f"{SERVICES}.state_task_service_batch").StateTaskServiceBatch
    build, evaluate = service_class._build_sync_resolver, service_class._eval_sync

    def build_resolver(self: Any, env: Any, resource_runtime_part: Any, **keywords: Any) -> Any:
        job_id = env.stack[-1]["JobId"]
        resolver = build(self, env=env, resource_runtime_part=resource_runtime_part, **keywords)
        client = asl("utils.boto_client").boto_client_for(region=resource_runtime_part.region, service="batch")

        class Resolver:
            def __call__(self) -> Any:
                return resolver() if _has_ended(resource_runtime_part, job_id) else None

            def terminate(self) -> None:
                client.terminate_job(jobId=job_id, reason="Terminated by Step Functions")

        return Resolver()

    def eval_sync(self: Any, sync_resolver: Any, **keywords: Any) -> Any:
        result = evaluate(self, sync_resolver=sync_resolver, **keywords)
        # either may notice a timeout first: the state, or the wait for a token that goes on beside it
        if result is None or isinstance(result, timeouts):
            sync_resolver.terminate()
        return result

    service_class._build_sync_resolver = build_resolver
    service_class._eval_sync = eval_sync
    asl(f"{SERVICES}.state_task_service_callback")._DELAY_SECONDS_SYNC_CONDITION_CHECK = SECONDS_BETWEEN_LOOKS


def _has_ended(where: Any, job_id: str) -> bool:
    """Whether Batch has ended a job, or has forgotten it: its backend is in this process, so that waiting costs no requests."""
    job = moto("batch.models").batch_backends[where.account][where.region].get_job_by_id(job_id)
    return job is None or job.status in ("SUCCEEDED", "FAILED")
