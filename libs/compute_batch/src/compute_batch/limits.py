"""What Batch allows, from its user guide and API reference as published in 2026."""

from __future__ import annotations

ARRAY_SIZES = range(2, 10_001)
"""Children of an array job."""
ATTEMPTS = range(1, 11)
RETRY_RULES = 5
DEPENDENCIES = 20
"""Jobs that one job may wait for."""
DESCRIBED_AT_ONCE = 100
"""Jobs of one DescribeJobs call."""
FILTERED_STREAMS = 100
"""Log streams of one FilterLogEvents call."""
NAME = 128
"""Characters of the name of a job or a definition."""
IMAGE = 255
OVERRIDES_BYTES = 8192
"""Of the container overrides of a submission, as JSON: command and environment."""
SHORTEST_TIMEOUT_SECONDS = 60
LEAST_MEMORY_MIB = 4
TAGS = 50
TAG_KEY = 128
TAG_VALUE = 256
PRIORITIES = range(10_000)
SHARE_IDENTIFIER = 255
SWAPPINESS = range(101)
NEURON_DEVICES = range(17)
"""Inferentia or Trainium chips of the largest instances."""
EFA_INTERFACES = range(33)
EPHEMERAL_STORAGE_GIB = range(21, 201)
"""Of a Fargate job; it has 20 GiB without being asked."""

FARGATE_MEMORY_MIB = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4097, 1024)),
    1: tuple(range(2048, 8193, 1024)),
    2: tuple(range(4096, 16385, 1024)),
    4: tuple(range(8192, 30721, 1024)),
    8: tuple(range(16384, 61441, 4096)),
    16: tuple(range(32768, 122881, 8192)),
}
"""vCPUs of a Fargate job, and the sizes of memory that go with them."""
FARGATE_LOG_DRIVERS = ("awslogs", "splunk")
LOG_DRIVERS = ("awslogs", "fluentd", "gelf", "journald", "json-file", "splunk", "syslog", "awsfirelens")
