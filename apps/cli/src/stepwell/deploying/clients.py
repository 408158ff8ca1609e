"""boto3's clients of the cluster that the settings name."""

from __future__ import annotations

from typing import Any

from stepwell.config import Settings


def aws_client(service: str, settings: Settings) -> Any:
    """A client of a service of AWS."""
    import boto3

    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=settings.get("STEPWELL_AWS_REGION"),
        endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
    )
