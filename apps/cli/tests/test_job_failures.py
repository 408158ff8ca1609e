"""What a job says of a failure that its image is to blame for."""

from __future__ import annotations

import pytest
from conftest import Project

LACKING = """
from stepwell import FlowSpec, step
{import_}

class TestFlow(FlowSpec):
    @step
    def start(self):
        {body}
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TestFlow()
"""


IMPORT = "import absent_package.module"
UNKNOWN_SERVICE = "import boto3; boto3.client('no-such-service', region_name='us-east-1')"


@pytest.mark.parametrize(
    ("import_", "body", "package", "says"),
    [
        ("", IMPORT, "absent_package", "No module named 'absent_package'"),
        (IMPORT, "pass", "absent_package", "No module named 'absent_package'"),
        ("", UNKNOWN_SERVICE, "boto3", "Unknown service"),
    ],
    ids=["in the body", "where the file is loaded", "a service of AWS"],
)
def test_what_is_missing_is_named_with_image_and_remedy(
    project: Project, import_: str, body: str, package: str, says: str
) -> None:
    project.write(LACKING.format(import_="", body="pass"))
    run_id = project.python("flow.py", "init").stdout.strip()
    project.write(LACKING.format(import_=import_, body=body))
    done = project.python(
        *("-c", "import sys; from stepwell.deploying.job import main; sys.exit(main('.'))"),
        STEPWELL_FLOW="TestFlow",
        STEPWELL_FLOW_FILE="flow.py",
        STEPWELL_STEP="start",
        STEPWELL_RUN_ID=run_id,
        STEPWELL_DATASTORE_ROOT=str(project.path / ".stepwell"),
        STEPWELL_JOB_IMAGE="team/image:3",
    )
    assert done.returncode == 1
    assert f"The image team/image:3 has no '{package}'" in done.stderr
    assert "Use one that has it" in done.stderr
    failure = next((project.path / ".stepwell").rglob("0.failed.json")).read_text()
    assert says in failure
    assert "requirements.txt" in failure
