"""The first lines that run in a job's container, before any of our code is there.

The command is `python3 -c <this program>`: it installs what the image lacks, fetches the code package, checks it, unpacks
it, and goes on in `stepwell.deploying.job`.
"""

from __future__ import annotations

from stepwell.deploying.package import REQUIREMENTS

_PROGRAM = r"""
import hashlib, importlib.util, io, os, subprocess, sys, tarfile, tempfile
def has(name):
    try: return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError: return False
need = {requirements}
lacking = [what for name, what in need.items() if not has(name) and not (name == "backports.zstd" and has("compression.zstd"))]
if lacking:
    index = os.environ.get("STEPWELL_BATCH_PIP_INDEX_URL")
    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", *(["--index-url", index] if index else []), *lacking])
    importlib.invalidate_caches()
import boto3
bucket, key = os.environ["STEPWELL_PACKAGE_URL"][5:].split("/", 1)
client = boto3.client("s3", endpoint_url=os.environ.get("STEPWELL_S3_ENDPOINT_URL") or None)
data = client.get_object(Bucket=bucket, Key=key)["Body"].read()
found = hashlib.sha256(data).hexdigest()
if not os.environ["STEPWELL_PACKAGE"].endswith(found):
    sys.exit("stepwell: the code package " + key + " is damaged: its sha256 is " + found)
home = tempfile.mkdtemp(prefix="stepwell-job-")
with tarfile.open(fileobj=io.BytesIO(data)) as archive:
    archive.extractall(home, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
sys.path.insert(0, home + "/lib")
from stepwell.deploying.job import main
sys.exit(main(home + "/flow"))
"""


def bootstrap_command() -> list[str]:
    """The command of a job. It is the same for every task: what differs is in the environment."""
    return ["python3", "-c", _PROGRAM.strip().replace("{requirements}", repr(REQUIREMENTS))]
