"""JSONata in the Step Functions interpreter: moto has the grammar, but no evaluator; PyPI's jsonata-python is one.

An expression without a value is an error on AWS, so it is here. Also mended: ``$uuid``, ``$hash`` and ``$parse`` (moto returns a sentence that they are not supported), variables whose text
holds quotes or line breaks, and errors, which must be ``States.QueryEvaluationError`` so that a state can catch them.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from .moto_patching import replace_function
from .states_services import plain


def repair_jsonata() -> None:
    """Install the evaluator."""
    from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as intrinsic
    from moto.stepfunctions.parser.asl.jsonata import jsonata as module

    evaluator: Any = module
    evaluator._eval_jsonata = _evaluate
    for name in ("$uuid", "$hash", "$parse"):
        intrinsic._DECLARATION_BY_VARIABLE_REFERENCE.pop(name, None)
    replace_function("encode_jsonata_variable_declarations", _declarations)
    _repair_errors()


def _evaluate(expression: str) -> Any:
    import jsonata
    from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

    def evaluate(text: str) -> Any:
        program = jsonata.Jsonata(text)
        program.register_lambda("uuid", lambda *_: str(uuid.uuid4()))
        program.register_lambda("hash", _hash)
        program.register_lambda("parse", json.loads)
        return program.evaluate(None)

    try:
        value = evaluate(expression)
        # both null and undefined are None; only null leaves something in an array
        if value is None and not evaluate(f"[({expression})]"):
            raise ValueError("the expression returned nothing (undefined)")
        return _python(value)
    except Exception as error:
        raise JSONataException("UNKNOWN", str(error)) from error


def _hash(value: Any, algorithm: str = "SHA-256") -> str:
    return hashlib.new(algorithm.replace("-", "").lower(), str(value).encode()).hexdigest()


def _python(value: Any) -> Any:
    """jsonata-python's own null and float-only numbers as JSON has them."""
    import jsonata

    if value is jsonata.utils.Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _python(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_python(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _declarations(bindings: dict[str, Any]) -> str:
    return "".join(f"{name}:={json.dumps(value, default=plain)};" for name, value in bindings.items())


def _repair_errors() -> None:
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
    from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

    expression: Any = StringJSONata
    evaluate = expression._eval_body

    def eval_body(self: Any, env: Any) -> None:
        try:
            evaluate(self, env)
        except JSONataException as error:
            name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
            details = EvaluationFailedEventDetails(cause=str(error.details), error=name.error_name)
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=name,
                    event_type=HistoryEventType.EvaluationFailed,
                    event_details=EventDetails(evaluationFailedEventDetails=details),
                )
            ) from error

    expression._eval_body = eval_body
