"""What a job finds in its environment: the same for one that the local scheduler submits and one of a state machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.deploying.job import FLOW, FLOW_FILE, PACKAGE, PACKAGE_URL, ROOT, S3_ENDPOINT
from stepwell.errors import SettingsError

# Settings that a job needs to register what it did; secrets are not among them.
_PASSED_ON = (
    "STEPWELL_METADATA",
    "STEPWELL_SERVICE_AUTH_SECRET",
    "STEPWELL_S3_SSE",
    "STEPWELL_S3_KMS_KEY",
    "STEPWELL_AWS_REGION",
    "STEPWELL_BATCH_PIP_INDEX_URL",
)


def flow_environment(flow: FlowDefinition, root: str, package: tuple[str, str], settings: Settings) -> dict[str, str]:
    """What all jobs of a flow share; `package` is the code package's digest and where it lies.

    Everybody who may look at jobs sees it: raises `SettingsError` for an index whose URL holds a password.
    """
    digest, url = package
    if "@" in urlsplit(settings.get("STEPWELL_BATCH_PIP_INDEX_URL") or "").netloc:
        raise SettingsError(
            "STEPWELL_BATCH_PIP_INDEX_URL holds a user or a password, which anybody could read in the description of a job.\n"
            "Put it into the image instead, as PIP_INDEX_URL or in a pip.conf"
        )
    values = {
        FLOW: flow.name,
        FLOW_FILE: flow.file.name,
        ROOT: root,
        "STEPWELL_DATASTORE": "s3" if root.startswith("s3://") else None,
        PACKAGE: digest,
        PACKAGE_URL: url,
        S3_ENDPOINT: settings.get("STEPWELL_S3_ENDPOINT_URL"),
        "STEPWELL_SERVICE_URL": settings.get("STEPWELL_SERVICE_INTERNAL_URL") or settings.get("STEPWELL_SERVICE_URL"),
        **{name: settings.get(name) for name in _PASSED_ON},
    }
    return {name: value for name, value in values.items() if value}
