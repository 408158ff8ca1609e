"""What an image that has only Python lacks: stepwell and all it needs, as files of a `site-packages` folder.

The versions are those installed here. Files that serve everywhere come from here, too; what is compiled, and for another
platform than this one, is fetched once and kept.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from stepwell.deploying.fetching import fetched
from stepwell.errors import StepwellError

LIBRARIES = {
    "stepwell": "stepwell",
    "cas_store": "stepwell-cas-store[s3]",
    "flow_graph": "stepwell-flow-graph",
    "meta_client": "stepwell-meta-client",
    "compute_batch": "stepwell-compute-batch",
    "sched_sfn": "stepwell-sched-sfn[deploy]",
}
AWS_SERVICES = (
    *("batch", "events", "logs", "s3", "scheduler", "secretsmanager", "sso", "sso-oidc", "stepfunctions", "sts"),
)
"""What stepwell asks of AWS, itself or for credentials: botocore's descriptions of the other four hundred stay behind."""
_DESCRIPTIONS = re.compile(r"(?:botocore|boto3)/data/(?P<service>[^/]+)/.*")
_NEVER_READ = re.compile(r".*\.(?:pyi|pyx|pxd|typed|js)|boto3/examples/.*")
_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^\]]*)\])?[^;]*(?:;(?P<marker>.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@attrs.frozen
class Platform:
    """What an image's interpreter is: the Python's minor version, as in "3.11", and the machine, as in "x86_64"."""

    python: str
    machine: str

    @property
    def is_here(self) -> bool:
        """Whether what is compiled for this interpreter runs there."""
        return sys.platform == "linux" and self == Platform(_python(), platform.machine())


def image_platform(machine: str) -> Platform:
    """The platform of images for this Python."""
    return Platform(_python(), machine)


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def distributions() -> dict[str, importlib.metadata.Distribution]:
    """Everything that stepwell needs in a job, by normalized name; raises `StepwellError` where something is missing here."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(requirement, True) for requirement in LIBRARIES.values()]
    while waiting:
        requirement, is_certain = waiting.pop()
        name, extras, _ = _parse(requirement)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if is_certain:
                raise StepwellError(f"Running on AWS needs the package '{name}': pip install 'stepwell[aws]'") from None
            continue  # wanted on other platforms only
        is_new = normalized(name) not in found
        found[normalized(name)] = distribution
        for wanted in distribution.requires or ():
            _, _, marker = _parse(wanted)
            extra = _EXTRA.search(marker)
            if (is_new and not extra) or (extra and extra.group(1) in extras):
                waiting.append((wanted, not marker or bool(extra)))
    return dict(sorted(found.items()))


def runtime_files(target: Platform) -> dict[str, Path]:
    """The files, by their path in the folder."""
    ours = {normalized(_parse(requirement)[0]): library for library, requirement in LIBRARIES.items()}
    files: dict[str, Path] = {}
    for name, distribution in distributions().items():
        if name in ours:
            files.update(_of_ours(ours[name], distribution))
        elif target.is_here or _is_portable(distribution):
            files.update(_installed(distribution))
        else:
            files.update(_below(fetched(name, distribution.version, target.python, target.machine)))
    return {_place(name): path for name, path in files.items() if _is_needed(name)}


def _is_needed(name: str) -> bool:
    described = _DESCRIPTIONS.fullmatch(name)
    return not _NEVER_READ.fullmatch(name) and (not described or described["service"] in AWS_SERVICES)


def _place(name: str) -> str:
    """boto3 finds what it describes among botocore's, too; then it is nothing but modules."""
    return re.sub(r"^boto3/data/", "botocore/data/", name)


def normalized(name: str) -> str:
    """The name of a package, as names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _parse(requirement: str) -> tuple[str, frozenset[str], str]:
    """Its name, its extras, its marker."""
    match = _REQUIREMENT.match(requirement)
    assert match, requirement
    extras = frozenset(extra.strip() for extra in (match["extras"] or "").split(",") if extra.strip())
    return match["name"], extras, match["marker"] or ""


def _of_ours(library: str, distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """From the folder that is imported here: it may be a checkout."""
    spec = importlib.util.find_spec(library)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)))
    for file in sorted(folder.rglob("*.py")):
        yield f"{library}/{file.relative_to(folder).as_posix()}", file
    yield from _metadata(distribution)


def _installed(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    for entry in distribution.files or ():
        parts = entry.parts
        if ".." not in parts and "__pycache__" not in parts and not parts[0].endswith(".dist-info"):
            yield entry.as_posix(), Path(str(entry.locate()))
    yield from _metadata(distribution)


def _metadata(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """What says which version it is; the rest of it is about this installation."""
    for entry in distribution.files or ():
        if entry.parts[0].endswith(".dist-info") and entry.name == "METADATA":
            yield entry.as_posix(), Path(str(entry.locate()))


def _is_portable(distribution: importlib.metadata.Distribution) -> bool:
    tags = re.findall(r"(?m)^Tag: (.*)$", distribution.read_text("WHEEL") or "")
    return bool(tags) and all(tag.strip().endswith("-none-any") for tag in tags)


def _below(folder: Path) -> Iterable[tuple[str, Path]]:
    return (
        (file.relative_to(folder).as_posix(), file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts and file.relative_to(folder).parts[0] != "bin"
    )
