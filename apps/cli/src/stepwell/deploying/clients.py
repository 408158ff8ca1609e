"""boto3's clients of the cluster that the settings name."""

from __future__ import annotations

from typing import Any

from stepwell.config import Settings
from stepwell.errors import SettingsError


def aws_client(service: str, settings: Settings) -> Any:
    """A client of a service of AWS; raises `SettingsError` where region, profile or URL are none."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=settings.get("STEPWELL_AWS_REGION"),
            endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
        )
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(
            f"AWS ({service}) cannot be asked: {str(error).rstrip('.')}.\n"
            "Check STEPWELL_AWS_REGION, STEPWELL_AWS_ENDPOINT_URL and AWS_PROFILE; stepwell status shows the settings in force"
        ) from error
