"""Production tokens: they keep one user from deploying over, or deleting, another's flow by accident. They are no secret.

A state machine has its token in a tag, and who deployed it last. Whoever gave the token once (`--authorize`) has it in a file
beside the configuration, by the machine's name.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import attrs

from stepwell.config import Settings, config_directory, user_name
from stepwell.errors import NotAuthorized

FILE = "production-tokens.json"


@attrs.frozen
class TokenRequest:
    """What a command line says of tokens: one that was given to show that the user may, one to take, whether to make one."""

    authorize: str | None = None
    new_token: str | None = None
    generate: bool = False


def namespace_of(token: str) -> str:
    """The namespace of a deployment's runs, which is also a tag that they have."""
    return f"production:{token}"


@attrs.frozen
class Owned:
    """What a deployed state machine says of whose it is."""

    machine: str
    token: str
    user: str | None


def token_to_deploy(machine: str, owned: Owned | None, settings: Settings, asked: TokenRequest) -> str:
    """The token of a deployment, remembered from here on; `owned` is what is deployed already.

    Raises `NotAuthorized` where somebody else has deployed it.
    """
    if owned is not None:
        require_token(owned, settings, asked.authorize)
    if asked.new_token or asked.generate or owned is None:
        token = asked.new_token or new_token(machine)
        remember(settings, machine, token)
        return token
    return owned.token


def require_token(owned: Owned, settings: Settings, given: str | None) -> None:
    """Raise `NotAuthorized` unless the user has deployed it, or gave its token, now or before."""
    if given is not None and given != owned.token:
        raise NotAuthorized(f"That is not the production token of the state machine {owned.machine}: {given}")
    if given is not None:
        remember(settings, owned.machine, owned.token)
    elif owned.user != user_name(settings) and known_tokens(settings).get(owned.machine) != owned.token:
        raise NotAuthorized(
            f"The state machine {owned.machine} is not yours to change: {owned.user} has deployed it.\n"
            "Ask them for its production token, which `step-functions describe` shows, and add: --authorize TOKEN"
        )


def new_token(machine: str) -> str:
    """A token that no deployment has yet."""
    return f"{machine}-{secrets.token_hex(4)}"


def known_tokens(settings: Settings) -> Mapping[str, str]:
    """The tokens that this user has, by state machine."""
    try:
        found = json.loads(_path(settings).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(settings: Settings, machine: str, token: str) -> None:
    """Keep a token for this user's next commands."""
    known = known_tokens(settings)
    if known.get(machine) != token:
        path = _path(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**known, machine: token}, indent=2), encoding="utf-8")


def _path(settings: Settings) -> Path:
    return config_directory(settings.environment) / FILE
