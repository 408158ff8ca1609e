"""The checks of the workspace. `nox` without arguments runs what CI runs; `nox -l` lists them all.

Every package is tested as its users get it: a wheel, in an environment that holds nothing but what the wheel asks for and
the package's own test group. Pins come from constraints.txt; `oldest` and `newest` leave them aside on purpose.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True

ROOT = Path(__file__).parent
CONSTRAINTS = ("-c", str(ROOT / "constraints.txt"))
UNPINNED = ("--no-config",)  # or uv takes the pins of pyproject.toml
REPORTS = ROOT / ".nox" / "reports"

# package -> (folder, extras under test, what its tests need of testing/, packages of the workspace below it)
PACKAGES = {
    "cas_store": ("libs/cas_store", "s3", "s3", ()),
    "flow_graph": ("libs/flow_graph", "networkx", "", ()),
    "meta_client": ("libs/meta_client", "", "", ()),
    "compute_batch": ("libs/compute_batch", "", "aws", ()),
    "sched_sfn": ("libs/sched_sfn", "deploy", "aws", ("flow_graph",)),
    "cli": ("apps/cli", "", "", ("cas_store", "flow_graph", "meta_client")),
    "metadata_service": ("apps/metadata_service", "embedded", "aws", ("meta_client",)),
}

nox.options.sessions = [
    "lint",
    *PACKAGES,
    "s3",
    "faults",
    "validators",
    "oldest",
    "wheels",
    "release",
    "docs",
    "e2e",
    "chaos",
]


def distribution(package: str) -> str:
    """The distribution name of a package."""
    return "stepwell" if package == "cli" else f"stepwell-{package.replace('_', '-')}"


# A wheel built anew has the same name and version as the last one: uv must not take it from its cache.
INSTALLING = [word for name in PACKAGES for word in ("--refresh-package", distribution(name))]


BUILT = ROOT / ".nox" / "built-wheels"  # "wheels" is a session's environment
BUILT_NOW: set[str] = set()


def build(session: nox.Session, *packages: str) -> Path:
    """Build wheels of packages, each once in a run of nox; gives a folder that holds those and no others."""
    for package in packages:
        if package not in BUILT_NOW:
            shutil.rmtree(BUILT / package, ignore_errors=True)
            into = str(BUILT / package)
            session.run("uv", "build", "-q", "--wheel", "-o", into, str(ROOT / PACKAGES[package][0]), external=True)
            BUILT_NOW.add(package)
    folder = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for package in packages:
        for wheel in (BUILT / package).glob("*.whl"):
            shutil.copy(wheel, folder)
    return folder


def install_wheel(session: nox.Session, package: str, *options: str, direct: bool = False) -> None:
    """Install a package as a wheel, with its extras and its test group, and nothing else of the workspace but what it needs.

    `direct` also names its own requirements, so that a choice among versions (lowest, newest) is made for them as well.
    """
    folder, extras, support, below = PACKAGES[package]
    wheels = build(session, package, *below)
    wheel = next(wheels.glob(f"{distribution(package).replace('-', '_')}-[0-9]*.whl"))
    requirement = f"{distribution(package)}{f'[{extras}]' if extras else ''} @ {wheel.as_uri()}"
    session.install(
        *options, *INSTALLING, "--find-links", str(wheels), requirement,
        "pytest-timeout>=2.3", "pytest-xdist>=3.6",
        "--group", f"{folder}/pyproject.toml:test",
        *(requirements(package) if direct else []), *(["-e", f"testing[{support}]"] if support else []),
    )  # fmt: skip


def requirements(package: str) -> list[str]:
    """What a package asks for itself, the extras under test included."""
    folder, extras, *_ = PACKAGES[package]
    project = nox.project.load_toml(f"{folder}/pyproject.toml")["project"]
    return [*project["dependencies"], *project.get("optional-dependencies", {}).get(extras, [])]


def run_pytest(session: nox.Session, *arguments: str, **environment: str) -> None:
    """Run pytest; what stands behind `--` on nox's command line goes to it. Reports go to `.nox/reports`."""
    report = REPORTS / f"{re.sub(r'[^a-z0-9_]+', '-', session.name).strip('-')}.xml"
    session.run(
        "pytest", "-c", str(ROOT / "pyproject.toml"), "--timeout", "900", f"--junitxml={report}", "-q",
        *arguments, *session.posargs, env={**ENVIRONMENT, **environment},
    )  # fmt: skip


# Folders of tests with a session of their own, so that a package's session stays quick.
SEPARATE = ("s3", "faults", "validators")
ON_ALL_CORES = ("-n", "auto", "--dist", "worksteal")
# Tests start many interpreters: they keep what they compile, whatever the environment says.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}


def test_package(session: nox.Session, package: str) -> None:
    install_wheel(session, package, *CONSTRAINTS)
    run_pytest(session, *ON_ALL_CORES, *tests_of(package, without=SEPARATE))


def tests_of(package: str, without: Iterable[str]) -> list[str]:
    """A package's tests for pytest, some folders left out."""
    folder = f"{PACKAGES[package][0]}/tests"
    return [folder, *(f"--ignore={folder}/{name}" for name in without if (ROOT / folder / name).is_dir())]


def with_tests_in(name: str) -> list[str]:
    """The packages that have such a folder of tests."""
    return [package for package, (folder, *_) in PACKAGES.items() if (ROOT / folder / "tests" / name).is_dir()]


def test_separately(session: nox.Session, package: str, name: str, *options: str) -> None:
    install_wheel(session, package, *CONSTRAINTS)
    run_pytest(session, *options, f"{PACKAGES[package][0]}/tests/{name}")


def session_of(package: str) -> None:
    @nox.session(name=package, tags=["package"])
    def tests(session: nox.Session) -> None:
        test_package(session, package)

    tests.__doc__ = f"Test the wheel of {package} alone."


for name in PACKAGES:
    session_of(name)


@nox.session
@nox.parametrize("package", with_tests_in("s3"))
def s3(session: nox.Session, package: str) -> None:
    """Test a package against a real S3 server."""
    test_separately(session, package, "s3", *ON_ALL_CORES)


@nox.session
@nox.parametrize("package", with_tests_in("faults"))
def faults(session: nox.Session, package: str) -> None:
    """Kills, damage, full disks and hostile servers against a package."""
    test_separately(session, package, "faults", *ON_ALL_CORES)


@nox.session
@nox.parametrize("package", with_tests_in("validators"))
def validators(session: nox.Session, package: str) -> None:
    """Check the golden state machines with a validator from npm."""
    test_separately(session, package, "validators")


@nox.session
@nox.parametrize("package", [name for name, (folder, *_) in PACKAGES.items() if folder.startswith("libs/")])
def oldest(session: nox.Session, package: str) -> None:
    """Test a library with the oldest versions that its ranges allow; what runs on the AWS rig is tested with the pins."""
    install_wheel(session, package, *UNPINNED, "--resolution", "lowest-direct", direct=True)
    run_pytest(session, *ON_ALL_CORES, *tests_of(package, without=("faults", "validators")), "-k", "not on_rig")


@nox.session
@nox.parametrize("package", list(PACKAGES))
def newest(session: nox.Session, package: str) -> None:
    """Test a package with the newest versions there are."""
    install_wheel(session, package, *UNPINNED, "--upgrade", direct=True)
    run_pytest(session, *ON_ALL_CORES, *tests_of(package, without=("faults", "validators")))


def install_everything(session: nox.Session) -> None:
    """Install all seven packages with all extras, as wheels."""
    wheels = build(session, *PACKAGES)
    names = (
        "stepwell[aws]",
        "stepwell-cas-store[s3]",
        "stepwell-flow-graph[networkx]",
        "stepwell-metadata-service[embedded]",
    )
    session.install(
        *CONSTRAINTS, *INSTALLING, "--find-links", str(wheels), *names,
        "--group", "pyproject.toml:e2e", "-e", "testing[aws,s3]",
    )  # fmt: skip


@nox.session
def e2e(session: nox.Session) -> None:
    """Run real flows through all packages: here, on S3 and the service, on Batch, on Step Functions."""
    install_everything(session)
    run_pytest(session, "-n", "2", "--dist", "worksteal", "tests/e2e")  # they mostly wait


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill and hurt everything that a run in shared mode depends on; nothing may be lost. CHAOS_RUNS and CHAOS_SEED vary it."""
    install_everything(session)
    run_pytest(session, "tests/chaos")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site, where a warning is an error; run every example of every README and follow every page of docs/."""
    install_everything(session)
    session.install(*CONSTRAINTS, "--group", "pyproject.toml:docs")
    run_pytest(session, "-n", "2", "--dist", "worksteal", "docs/tests")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build all seven wheels and install each alone; import it and look at what came along."""
    folder = build(session, *PACKAGES)
    session.install("pytest", "pytest-timeout", "uv", *CONSTRAINTS)
    run_pytest(session, "tests/wheels", STEPWELL_WHEELS=str(folder))


@nox.session
def release(session: nox.Session) -> None:
    """Build both distributions of every changed package and check them; test the machinery that releases them."""
    session.install(*CONSTRAINTS, "--group", "pyproject.toml:release")
    root = {"PYTHONPATH": str(ROOT)}
    session.run(
        "python", "-m", "releasing", "check", "--develop", "--to", str(Path(session.create_tmp()).resolve()), env=root
    )
    run_pytest(session, "tests/releasing", **root)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, layering, pins."""
    install_everything(session)
    session.install(*CONSTRAINTS, "--group", "pyproject.toml:lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    for folder, *_ in PACKAGES.values():
        session.run("mypy", f"{folder}/src")
    session.run("lint-imports")
    run_pytest(session, "tests/lint")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks: each prints its figure beside its peer's. Not part of CI."""
    install_everything(session)
    session.install(*CONSTRAINTS, "--group", "pyproject.toml:bench")
    chosen = session.posargs or sorted(str(path) for path in Path("benchmarks").glob("bench_*.py"))
    for script in chosen:
        session.run("python", script)


@nox.session(default=False)
def pins(session: nox.Session) -> None:
    """Resolve every dependency anew and write the pins: constraints.txt and [tool.uv] of pyproject.toml."""
    session.run("python", "tests/lint/pins.py", env={"UV": os.environ.get("UV", "uv")})


@nox.session(default=False)
def fix(session: nox.Session) -> None:
    """Let ruff mend what it can."""
    session.install(*CONSTRAINTS, "--group", "pyproject.toml:lint")
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")
