"""JSONata in the Step Functions interpreter: moto has the grammar, but no evaluator; PyPI's jsonata-python is one.

Also mended: ``$uuid``, ``$hash`` and ``$parse`` (moto returns a sentence that they are not supported), variables whose text
holds quotes or line breaks (also where it is assigned), expressions without a value (an error on AWS), and errors, which must be
``States.QueryEvaluationError`` so that a state can catch them.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from .moto_patching import asl, failure, replace_function
from .states_services import plain


def repair_jsonata() -> None:
    """Install the evaluator."""
    intrinsic = asl("component.intrinsic.jsonata")
    asl("jsonata.jsonata")._eval_jsonata = _evaluate
    for name in ("$uuid", "$hash", "$parse"):
        intrinsic._DECLARATION_BY_VARIABLE_REFERENCE.pop(name, None)
    replace_function("encode_jsonata_variable_declarations", _declarations)
    _unescape_assigned_text()
    _repair_errors()


def _evaluate(expression: str) -> Any:
    import jsonata

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
        raise asl("jsonata.jsonata").JSONataException("UNKNOWN", str(error)) from error


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


def _unescape_assigned_text() -> None:
    """Text that `Assign` gives is taken from the definition as it is written there, with the escapes of JSON."""
    parser = asl("parse.preprocessor")
    literal = asl("component.common.assign.assign_template_value_terminal").AssignTemplateValueTerminalLit

    def visit(self: Any, ctx: Any) -> Any:
        return literal(value=parser.from_string_literal(ctx.string_literal()))

    parser.Preprocessor.visitAssign_template_value_terminal_string_literal = visit


def _repair_errors() -> None:
    error_class = asl("jsonata.jsonata").JSONataException
    expression = asl("component.common.string.string_expression").StringJSONata
    evaluate = expression._eval_body

    def eval_body(self: Any, env: Any) -> None:
        try:
            evaluate(self, env)
        except error_class as error:
            name, details = "States.QueryEvaluationError", "evaluationFailedEventDetails"
            raise failure(env, name, "EvaluationFailed", details, cause=str(error.details)) from error

    expression._eval_body = eval_body
