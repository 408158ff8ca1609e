"""Any job that Batch takes."""

from __future__ import annotations

from typing import Any

from compute_batch import EfsVolume, Fargate, HostVolume, JobSpec, LogDriver, RetryRule, Swap, Tmpfs
from compute_batch.limits import FARGATE_MEMORY_MIB
from hypothesis import strategies as st

ROLE = "arn:aws:iam::123456789012:role/jobs"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/password"


def words(alphabet: str, most: int, least: int = 1) -> st.SearchStrategy[str]:
    """Texts of these characters."""
    return st.text(alphabet, min_size=least, max_size=most)


letters = "abcXYZ019"
names = st.builds(str.__add__, st.sampled_from(letters), words(letters + "_-", 127, least=0))
images = st.sampled_from(["python:3.12", "registry.example:5000/team/image@sha256:" + "0" * 64, "a"])
variables = st.dictionaries(words("XYZ_", 20), st.text(max_size=30), max_size=5)
paths = words("abc", 12).map("/".__add__)
roles = st.none() | st.just(ROLE)
tags = st.dictionaries(words("bcd:/=+@.-", 40), words("bcd XYZ:/=+@._-", 60, least=0), max_size=5)
whole_mib = st.integers(1, 1 << 20)
patterns = st.none() | st.builds(str.__add__, words("abcXYZ.: ", 40), st.sampled_from(["", "*"]))
codes = st.builds(str.__add__, words("0123456789", 3), st.sampled_from(["", "*"]))
actions = st.sampled_from(["RETRY", "EXIT"])
rules = st.builds(RetryRule, action=actions, exit_code=codes, reason=patterns, status_reason=patterns)
efs = st.builds(
    EfsVolume,
    st.just("fs-1"),
    paths,
    read_only=st.booleans(),
    access_point=st.none() | st.just("fsap-1"),
    use_job_role=st.booleans(),
)
hosts = st.builds(HostVolume, paths, paths, st.booleans())
drivers = st.sampled_from(["awslogs", "splunk"])
logs = st.builds(LogDriver, drivers, st.just({"awslogs-group": "/team"}), st.just({"splunk-token": PARAMETER}))
architectures = st.sampled_from(["X86_64", "ARM64"])
fargates = st.builds(Fargate, st.booleans(), st.none() | st.integers(21, 200), architecture=architectures)

common = {
    "name": names,
    "image": images,
    "command": st.lists(st.text(max_size=20), max_size=5),
    "environment": variables,
    "secrets": st.sampled_from([{}, {"password": PARAMETER}]),
    "job_role": roles,
    "user": st.sampled_from([None, "nobody"]),
    "log_driver": st.none() | logs,
    "timeout_seconds": st.none() | st.integers(60, 10**6),
    "attempts": st.integers(1, 10),
    "retry_rules": st.lists(rules, max_size=5),
    "tags": tags,
}
shares = st.just({}) | st.fixed_dictionaries(
    {"share_identifier": words(letters, 20), "priority": st.none() | st.integers(0, 9999)}
)


@st.composite
def ec2_specs(draw: st.DrawFn) -> JobSpec:
    """On EC2, with whatever only EC2 has."""
    mounts = draw(st.lists(efs | hosts, max_size=3, unique_by=lambda volume: volume.path))
    taken = {volume.path for volume in mounts}
    tmpfs = draw(
        st.lists(st.builds(Tmpfs, whole_mib, paths, st.just(["noexec"])), max_size=2, unique_by=lambda one: one.path)
    )
    more: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {
                "vcpus": st.integers(1, 192), "memory_mib": st.integers(4, 1 << 22), "gpus": st.integers(0, 16),
                "neuron_devices": st.integers(0, 16), "efa_interfaces": st.integers(0, 32), "privileged": st.booleans(),
                "shared_memory_mib": st.none() | whole_mib, "execution_role": roles,
                "swap": st.none() | st.builds(Swap, st.integers(0, 9999), st.none() | st.integers(0, 100)),
            }
        )
    )  # fmt: skip
    fixed = draw(st.fixed_dictionaries(common))
    return JobSpec(
        **fixed, **more, **draw(shares), volumes=mounts, tmpfs=[one for one in tmpfs if one.path not in taken]
    )


@st.composite
def fargate_specs(draw: st.DrawFn) -> JobSpec:
    """On Fargate, in one of its sizes."""
    vcpus = draw(st.sampled_from(sorted(FARGATE_MEMORY_MIB)))
    return JobSpec(
        **draw(st.fixed_dictionaries(common)),
        **draw(shares),
        vcpus=vcpus,
        memory_mib=draw(st.sampled_from(FARGATE_MEMORY_MIB[vcpus])),
        fargate=draw(fargates),
        execution_role=ROLE,
        volumes=draw(st.lists(efs, max_size=3, unique_by=lambda volume: volume.path)),
    )


specs = ec2_specs() | fargate_specs()
