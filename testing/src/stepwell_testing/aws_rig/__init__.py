"""An AWS rig: moto's server, repaired where its Batch and Step Functions fall short, with jobs that really run.

::

    with Rig(engine="process") as rig:
        rig.client("batch").submit_job(jobName="hello", jobQueue=rig.queue, jobDefinition=...)

Where it is still kinder than AWS is written in the README beside this package's ``pyproject.toml``.
"""

from .podman import podman_available
from .rig import ENGINES, Rig, engines_here
from .settings import TEST_MARK

__all__ = ["ENGINES", "TEST_MARK", "Rig", "engines_here", "podman_available"]
