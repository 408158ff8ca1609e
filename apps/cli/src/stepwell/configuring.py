"""A settings file before it is installed, and the settings in force: their names, what is missing, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs

from stepwell.config import SETTINGS, Settings, datastore_root, metadata_url, s3_encryption, service_options
from stepwell.errors import SettingsError, StepwellError

_REGISTRY, _IMAGE = "METAFLOW_BATCH_CONTAINER_REGISTRY", "METAFLOW_BATCH_CONTAINER_IMAGE"
_SECONDS_TO_ANSWER = 10.0


@attrs.frozen
class Translated:
    """Settings under stepwell's own names, as they are to be installed; and the names of those that nobody uses here."""

    settings: dict[str, str]
    unused: tuple[str, ...]


def translate(given: Mapping[str, str]) -> Translated:
    """Put Metaflow's names into ours; where both are given, ours win. What has no counterpart stays as it is.

    A root of the datastore is that of the datastore in use.
    """
    settings = {name: value for name, value in given.items() if name in SETTINGS}
    ours = {other: setting.name for setting in SETTINGS.values() for other in setting.metaflow}
    for other, name in ours.items():
        if given.get(other) and other not in _of_other_datastore(given):
            settings.setdefault(name, _image(given) if other == _IMAGE else given[other])
    unused = {
        name: value for name, value in given.items() if name not in SETTINGS and name not in ours and name != _REGISTRY
    }
    return Translated({**settings, **unused}, tuple(sorted(unused)))


def _of_other_datastore(given: Mapping[str, str]) -> str:
    kind = given.get("STEPWELL_DATASTORE") or given.get("METAFLOW_DEFAULT_DATASTORE") or "local"
    return "METAFLOW_DATASTORE_SYSROOT_LOCAL" if kind == "s3" else "METAFLOW_DATASTORE_SYSROOT_S3"


def _image(given: Mapping[str, str]) -> str:
    """The image with its registry, which Metaflow names apart, where the image names none."""
    image, registry = given[_IMAGE], given.get(_REGISTRY)
    return f"{registry.rstrip('/')}/{image}" if registry and "/" not in image else image


def problems(settings: Settings) -> list[str]:
    """What is missing in settings or wrong with them, in words; nothing is asked over the network."""
    found = []
    checks: list[Callable[[], object]] = [lambda name=name: settings.lookup(name) for name in SETTINGS]  # type: ignore[misc]
    checks += [lambda: datastore_root(settings), lambda: metadata_url(settings), lambda: s3_encryption(settings)]
    for check in checks:
        try:
            check()
        except SettingsError as error:
            if str(error) not in found:
                found.append(str(error))
    return found


@attrs.frozen
class Answer:
    """Whether one of the places that settings name answers: `error` is empty then."""

    what: str
    place: str
    error: str = ""


def ask(settings: Settings) -> Iterator[Answer]:
    """Ask the datastore and the metadata store something harmless, with the credentials that runs will have."""
    yield _answer("datastore", datastore_root(settings), lambda: _ask_datastore(settings))
    yield _answer("metadata", metadata_url(settings), lambda: _ask_metadata(settings))


def _answer(what: str, place: str, ask: Callable[[], None]) -> Answer:
    from cas_store import CasStoreError
    from meta_client import MetaClientError

    try:
        ask()
    except (CasStoreError, MetaClientError, StepwellError) as error:
        return Answer(what, place, str(error))
    return Answer(what, place)


def _ask_datastore(settings: Settings) -> None:
    from stepwell.execution.stores import open_stores

    open_stores(settings).records.exists("flows/none")


def _ask_metadata(settings: Settings) -> None:
    from meta_client import NotFound, open_store

    url = metadata_url(settings)
    if url.startswith("sqlite:") and not Path(url.removeprefix("sqlite://")).exists():
        return  # a file that is made when it is needed
    patience = {} if url.startswith("sqlite:") else {"timeout": _SECONDS_TO_ANSWER, "retry_for": 0}
    with open_store(url, **service_options(settings), **patience) as store:
        try:
            store.get_flow("none")
        except NotFound:
            return
