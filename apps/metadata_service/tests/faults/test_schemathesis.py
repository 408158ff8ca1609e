"""Schemathesis reads the API's document and sends what that allows and what it does not, alone and in sequences.

Whatever it sends is answered by something that the document knows, and never by a 5xx.
"""

from __future__ import annotations

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance
from support import Api

CHECKS = [not_a_server_error, response_schema_conformance]
QUICK = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}


@pytest.fixture(scope="module")
def document(app: Flask) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def test_every_operation_alone(document: schemathesis.BaseSchema, api: Api) -> None:
    tried = set[str]()
    for result in document.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=4, **QUICK)
        def send(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        send()
        tried.add(operation.label)
    paths = api.get("/openapi.json").body["paths"].items()
    documented = {f"{method.upper()} {path}" for path, methods in paths for method in methods}
    assert documented - tried == {"GET /openapi.json"}


def test_operations_in_sequence(document: schemathesis.BaseSchema) -> None:
    machine = document.as_state_machine()

    class Sequences(machine):  # type: ignore[misc,valid-type]
        def validate_response(self, response: object, case: schemathesis.Case, **_: object) -> None:
            case.validate_response(response, checks=CHECKS)

    run_state_machine_as_test(Sequences, settings=settings(max_examples=8, stateful_step_count=8, **QUICK))
