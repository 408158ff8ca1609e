"""`Config`: settings of a flow that are read before everything else, so that decorators and parameters may use them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs

from stepwell.api.config_value import configured, plain
from stepwell.api.expressions import Expression, Names
from stepwell.api.parameters import ParameterContext, call_default
from stepwell.errors import ConfigError, ParameterError

Parser = Callable[[str], Any]


@attrs.frozen
class Declared:
    """What a `Config` was declared with; `attribute` is what the flow's class calls it."""

    name: str
    default: Any = None
    default_value: Any = None
    help: str = ""
    required: bool = False
    parser: Parser | str | None = None
    plain: bool = False
    attribute: str = ""


class Config(Expression):
    """Settings of a flow, from a file or a text of JSON: `--config name settings.json`, `--config-value name '{"a": 1}'`.

    `default` is a file's path (or a function that gives one), `default_value` a dictionary or a text; without any of
    these it is None, which is an error where it is `required`. `parser`, a function or its dotted name, makes a dictionary of
    the text where that is no JSON. With `plain=True` the value is what the parser gives, whatever that is, or the text.
    Steps read items by attribute or by item, `self.cfg.model.depth`; decorators and parameters of the class may be declared
    with `cfg.model.depth`, `**cfg.model` or `config_expr("...")`. Raises `ConfigError` for a declaration that makes no sense.
    """

    def __init__(
        self,
        name: str,
        default: Any = None,
        default_value: Any = None,
        help: str = "",  # noqa: A002 - the API's name
        required: bool | None = None,
        parser: Parser | str | None = None,
        plain: bool = False,
    ) -> None:
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise ConfigError(
                f"The name of a config {name!r} must be letters, digits, - and _, and start with a letter"
            )
        if default is not None and default_value is not None:
            raise ConfigError(f"Config '{name}' has a default file and a default value; keep one")
        if isinstance(parser, str) and "." not in parser:
            raise ConfigError(f"Config '{name}': parser is a function or its dotted name, not {parser!r}")
        self._declared = Declared(name, default, default_value, help, bool(required), parser, plain, name)
        super().__init__(name, lambda names: names[name])

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._declared = attrs.evolve(self._declared, attribute=attribute)

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        convert = None if self._declared.plain else configured
        return instance._stepwell_context.artifacts.peek(self._declared.attribute, owner.__name__, convert)

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError(f"Config '{self._declared.name}' cannot be changed in a step; assign another name")


def configs(flow: type) -> dict[str, Declared]:
    """The configs of a flow by name; raises `ConfigError` where two share one."""
    by_attribute: dict[str, Any] = {}
    for cls in reversed(flow.__mro__):
        by_attribute.update(vars(cls))
    found: dict[str, Declared] = {}
    for config in by_attribute.values():
        if isinstance(config, Config):
            declared = config._declared
            if declared.name in found:
                other = found[declared.name].attribute
                raise ConfigError(f"The configs '{other}' and '{declared.attribute}' share the name '{declared.name}'")
            found[declared.name] = declared
    return found


@attrs.frozen
class GivenConfigs:
    """What a command line and the environment give, by the configs' names: paths of files, or texts."""

    files: Mapping[str, str] = attrs.field(factory=dict)
    texts: Mapping[str, str] = attrs.field(factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.files or name in self.texts


FILES, TEXTS = "FLOW_CONFIG", "FLOW_CONFIG_VALUE"


def given_configs(
    environment: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
) -> GivenConfigs:
    """What is given on the command line, and what the environment (`STEPWELL_FLOW_CONFIG`, `..._VALUE`) gives besides."""
    files, texts = files or {}, texts or {}
    if both := sorted(set(files) & set(texts)):
        raise ConfigError(f"Config '{both[0]}' is given as a file and as a value; give one")
    more_files, more_texts = (
        {name: text for name, text in _of_environment(environment, variable).items() if name not in {*files, *texts}}
        for variable in (FILES, TEXTS)
    )
    return GivenConfigs({**more_files, **files}, {**more_texts, **texts})


def _of_environment(environment: Mapping[str, str], variable: str) -> dict[str, str]:
    for name in (f"STEPWELL_{variable}", f"METAFLOW_{variable}"):
        if text := environment.get(name):
            break
    else:
        return {}
    try:
        found = json.loads(text)
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{name} holds no JSON object of configs by name: {error}") from error


def read_configs(
    declared: Mapping[str, Declared],
    given: GivenConfigs,
    context: ParameterContext | None = None,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The value of each config by attribute: given, else `kept` (of the run that is gone on with), else the default.

    Raises `ConfigError` for the first that is wrong or missing.
    """
    for name in (*given.files, *given.texts):
        if name not in declared:
            raise ConfigError(f"The flow has no config '{name}'; it has: {', '.join(declared) or 'none'}")
    kept = kept or {}
    return {
        config.attribute: kept[config.attribute]
        if name not in given and config.attribute in kept
        else _value(config, given, context)
        for name, config in declared.items()
    }


def names_of(declared: Mapping[str, Declared], values: Mapping[str, Any]) -> Names:
    """The values as expressions name them: by the config's name, and by what the class calls it."""
    found = {}
    for name, config in declared.items():
        value = values[config.attribute]
        found[name] = found[config.attribute] = value if config.plain else configured(value)
    return found


def _value(config: Declared, given: GivenConfigs, context: ParameterContext | None) -> Any:
    if config.name in given.files:
        return _parsed(config, _read(config, given.files[config.name]))
    if config.name in given.texts:
        return _parsed(config, given.texts[config.name])
    if config.default is not None:
        return _parsed(config, _read(config, _called(config, config.default, context)))
    if config.default_value is not None:
        value = _called(config, config.default_value, context)
        return _parsed(config, value) if isinstance(value, str) else _checked(config, value)
    if config.required:
        raise ConfigError(f"Config '{config.name}' is missing: give --config {config.name} FILE, before the command")
    return None


def _called(config: Declared, default: Any, context: ParameterContext | None) -> Any:
    if not callable(default):
        return default
    try:
        return call_default(default, config.name, context)
    except ParameterError as error:
        raise ConfigError(str(error).replace("Parameter", "Config", 1)) from error


def _read(config: Declared, path: Any) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"Config '{config.name}': the file {path} cannot be read: {why}") from error


def _parsed(config: Declared, text: str) -> Any:
    if config.parser is None:
        return text if config.plain else _checked(config, _of_json(config, text))
    try:
        return _checked(config, _function(config.parser)(text))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"Config '{config.name}': its parser failed with {type(error).__name__}: {error}") from error


def _of_json(config: Declared, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f"Config '{config.name}' is no JSON: {error}; declare it with a parser where it is in another form"
        ) from error


def _function(parser: Parser | str) -> Parser:
    if callable(parser):
        return parser
    module, _, name = parser.rpartition(".")
    found: Parser = getattr(import_module(module), name)
    return found


def _checked(config: Declared, value: Any) -> Any:
    if config.plain:
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"Config '{config.name}' is {value!r}, but a config is an object of names and values, as in {{\"a\": 1}}; "
            "declare it with plain=True to take anything"
        )
    return plain(value)
