"""From the syntax tree of a step's method to its node."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from flow_graph.nodes import Case, End, Invalid, Node, Transition
from flow_graph.transitions import invalid, plain_transition, switch_transition, unsupported_parallel

Method = ast.FunctionDef | ast.AsyncFunctionDef


def find_mark(method: Method, step: str) -> ast.expr | None:
    """The decorator `@step`, `@module.step` or `@step(...)` of a method, if it has one."""
    for decorator in method.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (isinstance(name, ast.Name) and name.id == step) or (isinstance(name, ast.Attribute) and name.attr == step):
            return decorator
    return None


def parse_step(method: Method, mark: ast.expr, file: str | None, transition: str) -> Node:
    """The node of a step; `mark` is its decorator, `transition` the name of the method that makes transitions."""
    flags = (
        {keyword.arg for keyword in mark.keywords if is_true(keyword.value)} if isinstance(mark, ast.Call) else set()
    )
    arguments = count_arguments(method.args)
    parsed, line = parse_transition(method, transition, joins=arguments > 1)
    if isinstance(method, ast.AsyncFunctionDef):
        parsed, line = asynchronous(method.name, parsed), method.lineno
    return Node(
        method.name,
        parsed,
        arguments=arguments,
        starts="start" in flags,
        ends="end" in flags,
        doc=first_doc_line(method),
        file=file,
        line=method.lineno,
        transition_line=line,
    )


def asynchronous(step: str, transition: Transition) -> Invalid:
    """What stands for the transition of a coroutine, which cannot be a step."""
    return Invalid(
        "async-step",
        f"Step {step!r} is an async function.",
        "Make it a plain function, and call asyncio.run(...) inside.",
        transition.targets,
    )


def is_true(value: ast.expr) -> bool:
    """Whether an expression is the literal True."""
    return isinstance(value, ast.Constant) and value.value is True


def count_arguments(args: ast.arguments) -> int:
    """How many arguments a method takes, starred and keyword-only ones included: a step takes 1, a join 2."""
    starred = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return len(args.posonlyargs) + len(args.args) + len(args.kwonlyargs) + len(starred)


def first_doc_line(node: Method | ast.ClassDef) -> str:
    """The first line of a docstring, empty if there is none."""
    match node.body:
        case [ast.Expr(ast.Constant(str(text))), *_] if text.strip():
            return text.strip().splitlines()[0].rstrip()
    return ""


# ---- transitions


def parse_transition(method: Method, name: str, *, joins: bool) -> tuple[Transition, int | None]:
    """The transition that a method ends with, and its line."""
    positional = [*method.args.posonlyargs, *method.args.args]
    receiver = positional[0].arg if positional else "self"
    last = method.body[-1]
    call = as_call(last, receiver, name)
    if call is not None:
        return parse_call(method.name, call, receiver, joins=joins), last.lineno
    stray = [found for node in ast.walk(method) if (found := as_call(node, receiver, name)) is not None]
    if stray:
        return misplaced(method.name, stray, receiver, name), stray[0].lineno
    return End(), None


def as_call(node: ast.AST, receiver: str, name: str) -> ast.Call | None:
    """The call of a statement `self.next(...)`."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(object), attribute)) as call):
            return call if object == receiver and attribute == name else None
    return None


def misplaced(step: str, calls: list[ast.Call], receiver: str, name: str) -> Invalid:
    """Transitions that are not the last statement of their step."""
    targets = dict.fromkeys(target for call in calls for target in named_targets(call, receiver))
    return Invalid(
        "missing-transition",
        f"Step {step!r} does not end with {receiver}.{name}(...): the one on line {calls[0].lineno} is inside another "
        "statement, or others follow it.",
        f"The graph is read from the source, so make {receiver}.{name}(...) the last line of the step; "
        "to choose between steps, use a switch.",
        tuple(targets),
    )


def named_targets(call: ast.Call, receiver: str) -> Iterator[str]:
    """The steps that a call names, as far as one can tell."""
    for argument in call.args:
        values = argument.values if isinstance(argument, ast.Dict) else [argument]
        yield from filter(None, (step_name(value, receiver) for value in values))


def step_name(value: ast.expr, receiver: str) -> str | None:
    """The step that an expression `self.name` names."""
    match value:
        case ast.Attribute(ast.Name(object), name) if object == receiver:
            return name
    return None


def parse_call(step: str, call: ast.Call, receiver: str, *, joins: bool) -> Transition:
    """The transition that a call of `self.next` makes."""
    known = tuple(named_targets(call, receiver))
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    for option in options:
        if option not in ("foreach", "condition", "num_parallel"):
            return invalid(step, "it passes **options" if option is None else f"{option}= is no option of it", known)
    if "num_parallel" in options:
        return unsupported_parallel(step, known)
    for option, value in options.items():
        if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
            return invalid(step, f"{option}= must be the name of an artifact, as a literal string", known)
    texts = {option: ast.literal_eval(value) for option, value in options.items()}
    return parse_targets(step, call, receiver, texts.get("foreach"), texts.get("condition"), joins=joins)


def parse_targets(
    step: str, call: ast.Call, receiver: str, foreach: str | None, condition: str | None, *, joins: bool
) -> Transition:
    """The transition that a call makes, its options known to be strings."""
    known = tuple(named_targets(call, receiver))
    if any(isinstance(argument, ast.Dict) for argument in call.args):
        cases = call.args[0]
        if len(call.args) > 1 or not isinstance(cases, ast.Dict):
            return invalid(step, "a switch takes one dictionary and no other step", known)
        if foreach is not None:
            return invalid(step, "a switch cannot also be a foreach", known)
        return parse_switch(step, cases, receiver, condition)
    if condition is not None:
        return invalid(step, "condition= goes with a dictionary of cases", known)
    for argument in call.args:
        if step_name(argument, receiver) is None:
            return invalid(step, f"{ast.unparse(argument)} is not a step of the form {receiver}.name", known)
    return plain_transition(step, known, foreach, joins)


def parse_switch(step: str, dictionary: ast.Dict, receiver: str, condition: str | None) -> Transition:
    """The switch that a dictionary of cases makes."""
    cases = []
    known = tuple(filter(None, (step_name(value, receiver) for value in dictionary.values)))
    for key, value in zip(dictionary.keys, dictionary.values, strict=True):
        target = step_name(value, receiver)
        if target is None:
            return invalid(step, f"the case {ast.unparse(value)} is not a step of the form {receiver}.name", known)
        case = parse_case(key, target, receiver)
        if case is None:
            text = "**" if key is None else ast.unparse(key)
            return invalid(
                step,
                f"the switch key {text} is not a literal",
                known,
                f"Use strings, numbers, True, False, None, or configuration values like {receiver}.config.mode.",
            )
        cases.append(case)
    return switch_transition(step, cases, condition)


def parse_case(key: ast.expr | None, target: str, receiver: str) -> Case | None:
    """The case of a literal key or of a configuration value (`self.config.key`)."""
    match key:
        case ast.Constant(value) if value is None or isinstance(value, (str, int, float)):
            return Case(value, target)
        case ast.UnaryOp(ast.USub(), ast.Constant(int(value) | float(value))):
            return Case(-value, target)
        case ast.Attribute(ast.Attribute()):
            text = ast.unparse(key)
            return Case(text, target, expression=True) if text.startswith(f"{receiver}.") else None
    return None
