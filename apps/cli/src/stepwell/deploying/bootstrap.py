"""The first lines that run in a job's container, before any of our code is there.

The command is `python3 -c <this program>`, in the standard library alone: it reads what all jobs of a
deployed version share, fetches the code package with a signed request,
checks and unpacks it, and goes on in `stepwell.deploying.job`. An image that has the same stepwell is used as it is; to another
one the package brings what is missing. Until all is imported nothing is collected: it would be gone through again and again.
"""

from __future__ import annotations

import base64
import zlib

_PROGRAM = r"""
import gc; gc.disable()
import hashlib, hmac, importlib.metadata, importlib.util, io, json, os, platform, subprocess, sys, tempfile, time, zipfile
from urllib import error, parse, request
env = os.environ
def ask(url, headers):
    for pause in (1, 2, 4, 8, 16, 0):
        try: return request.urlopen(request.Request(url, headers=headers), timeout=60).read()
        except error.HTTPError as e:
            if pause == 0 or e.code < 500 and e.code != 429: raise
        except OSError:
            if pause == 0: raise
        time.sleep(pause)
def credentials():
    own = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
    if own[0] in env: return tuple(map(env.get, own))
    path, url = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if path: url = "http://169.254.170.2" + path
    if not url: sys.exit("stepwell: the job has no AWS credentials; set STEPWELL_BATCH_JOB_ROLE, or @batch(iam_role=...)")
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    given = json.loads(ask(url, {"Authorization": token} if token else {}))
    return given["AccessKeyId"], given["SecretAccessKey"], given["Token"]
def fetch(place, region):
    identity, secret, token = credentials()
    base = env.get("STEPWELL_S3_ENDPOINT_URL") or env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    base = base or "https://s3." + region + ".amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    url = base.rstrip("/") + "/" + parse.quote(place)
    now, where, body = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), parse.urlsplit(url), "UNSIGNED-PAYLOAD"
    headers = {"host": where.netloc, "x-amz-content-sha256": body, "x-amz-date": now}
    if token: headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    asked = "\n".join(["GET", where.path, "", *(n + ":" + headers[n] for n in sorted(headers)), "", names, body])
    scope = [now[:8], region, "s3", "aws4_request"]
    text = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(asked.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in [*scope, text]: key = hmac.new(key, part.encode(), "sha256").digest()
    signature = identity, "/".join(scope), names, key.hex()
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % signature
    try: return ask(url, headers)
    except error.HTTPError as e:
        other = e.headers.get("x-amz-bucket-region")
        if other and other != region: return fetch(place, other)
        sys.exit("stepwell: the code package " + place + " cannot be read: %s: %s" % (e, e.read()[:300].decode()))
    except OSError as e: sys.exit("stepwell: S3 cannot be reached at " + base + ": " + str(e))
region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
if "STEPWELL_DEPLOYMENT" in env:
    shared = json.loads(fetch(env["STEPWELL_DEPLOYMENT"][5:], region))["environment"]
    for name in shared: env.setdefault(name, shared[name])
place = env["STEPWELL_PACKAGE_URL"][5:]
data = fetch(place, region)
found = hashlib.sha256(data).hexdigest()
if not env["STEPWELL_PACKAGE"].endswith(found):
    sys.exit("stepwell: the code package " + place + " is damaged: its sha256 is " + found)
home = tempfile.mkdtemp(prefix="stepwell-job-")
package = zipfile.ZipFile(io.BytesIO(data))
info = json.loads(package.read("package.json"))
version = info["versions"]["stepwell"]
try: bare = importlib.metadata.version("stepwell") != version or not importlib.util.find_spec("boto3")
except ImportError: bare = True
have, need = ["%d.%d" % sys.version_info[:2], platform.machine()], [info["python"], info["machine"]]
if bare and (have != need or platform.libc_ver()[0] != "glibc"):
    sys.exit("stepwell: the image %s has Python %s on %s %s and no stepwell %s; the code package is for Python %s on %s glibc. "
        "Use an image with that Python, or one that has stepwell[aws]==%s (docs/your-image.md)" % (env.get("STEPWELL_JOB_IMAGE"),
        *have, platform.libc_ver()[0] or "without glibc", version, *need, version))
package.extractall(home, [n for n in package.namelist() if n[:5] == "flow/" or bare and n[:9] == "unpacked/"])
paths, models = [], []
if bare:
    with open(home + "/package.zip", "wb") as file: file.write(data)
    paths = [home + "/unpacked", home + "/package.zip/lib"]
    own = importlib.util.find_spec("botocore")
    if own and own.origin: models = [os.path.dirname(own.origin) + "/data"]
wanted, index = home + "/flow/requirements.txt", env.get("STEPWELL_BATCH_PIP_INDEX_URL")
if index and os.path.exists(wanted):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--root-user-action", "ignore"]
    if subprocess.call([*pip, "--target", home + "/site", "--index-url", index, "-r", wanted]):
        sys.exit("stepwell: the flow's requirements.txt could not be installed from " + index)
    paths.append(home + "/site")
    models.append(home + "/site/botocore/data")
env["STEPWELL_DEPENDENCIES"] = ", ".join(map(" ".join, info["versions"].items())) if bare else "of the image"
if bare and models: env["AWS_DATA_PATH"] = os.pathsep.join([*filter(None, [env.get("AWS_DATA_PATH")]), *models])
sys.path[:0] = paths
env["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [env.get("PYTHONPATH")])])
os.chdir(home + "/flow")
from stepwell.deploying.job import main
from stepwell.execution.leaving import leave
leave(main(home + "/flow"))
"""


def bootstrap_command() -> list[str]:
    """The command of a job. It is the same for every task: what differs is in the environment.

    The program is packed, as it shares with that the 8 KiB that a submission may have.
    """
    packed = base64.b64encode(zlib.compress(_PROGRAM.strip().encode(), 9)).decode()
    return ["python3", "-c", f"import base64, zlib; exec(zlib.decompress(base64.b64decode('{packed}')))"]
