"""`stepwell configure`: a settings file is checked, translated, tried and installed; and `status` shows what is in force."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from answering import answering
from conftest import Project
from stepwell.config import SETTINGS, Settings
from stepwell.configuring import problems, translate


def test_every_counterpart_of_metaflow_is_translated() -> None:
    for setting in SETTINGS.values():
        for other in setting.metaflow:
            value = setting.choices[-1] if setting.choices else "value"
            datastore = {"METAFLOW_DEFAULT_DATASTORE": "s3"} if other.endswith("SYSROOT_S3") else {}
            found = translate({**datastore, other: value})
            assert found.settings[setting.name] == value
            assert other not in found.settings
            assert found.unused == ()


@pytest.mark.parametrize(
    ("given", "installed"),
    [
        ({"METAFLOW_SERVICE_URL": "theirs", "STEPWELL_SERVICE_URL": "ours"}, {"STEPWELL_SERVICE_URL": "ours"}),
        (
            {
                "METAFLOW_DEFAULT_DATASTORE": "s3",
                "METAFLOW_DATASTORE_SYSROOT_S3": "s3://b/m",
                "METAFLOW_DATASTORE_SYSROOT_LOCAL": "/data",
            },
            {"STEPWELL_DATASTORE": "s3", "STEPWELL_DATASTORE_ROOT": "s3://b/m"},
        ),
        (
            {"METAFLOW_DATASTORE_SYSROOT_S3": "s3://b/m", "METAFLOW_DATASTORE_SYSROOT_LOCAL": "/data"},
            {"STEPWELL_DATASTORE_ROOT": "/data"},
        ),
        (
            {"METAFLOW_BATCH_CONTAINER_IMAGE": "base:3", "METAFLOW_BATCH_CONTAINER_REGISTRY": "registry.example.com/"},
            {"STEPWELL_BATCH_IMAGE": "registry.example.com/base:3"},
        ),
        (
            {"METAFLOW_BATCH_CONTAINER_IMAGE": "quay.io/base", "METAFLOW_BATCH_CONTAINER_REGISTRY": "elsewhere"},
            {"STEPWELL_BATCH_IMAGE": "quay.io/base"},
        ),
    ],
    ids=lambda value: "+".join(value),
)
def test_names_that_mean_the_same_become_one(given: dict[str, str], installed: dict[str, str]) -> None:
    assert translate(given).settings == installed


def test_what_nobody_uses_here_is_kept_and_named() -> None:
    found = translate({"METAFLOW_SFN_DYNAMO_DB_TABLE": "t", "STEPWELL_USER": "ann"})
    assert found.unused == ("METAFLOW_SFN_DYNAMO_DB_TABLE",)
    assert found.settings == {"METAFLOW_SFN_DYNAMO_DB_TABLE": "t", "STEPWELL_USER": "ann"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"STEPWELL_METADATA": "service"}, "STEPWELL_SERVICE_URL"),
        ({"STEPWELL_DATASTORE": "s3"}, "STEPWELL_DATASTORE_ROOT"),
        ({"STEPWELL_DATASTORE": "s3", "STEPWELL_DATASTORE_ROOT": "bucket"}, "s3://bucket/prefix"),
        ({"STEPWELL_METADATA": "postgres"}, "local, service"),
        ({"STEPWELL_S3_SSE": "rot13"}, "AES256"),
    ],
)
def test_what_is_missing_or_wrong_is_said(given: dict[str, str], says: str) -> None:
    (found,) = problems(Settings(file=given))
    assert says in found


def test_all_that_is_missing_is_said_at_once_and_nothing_is_installed(project: Project) -> None:
    project.write('{"METAFLOW_DEFAULT_METADATA": "service", "METAFLOW_DEFAULT_DATASTORE": "s3"}', "given.json")
    done = project.stepwell("configure", "import", "given.json")
    assert done.returncode == 1
    assert "STEPWELL_SERVICE_URL" in done.stderr
    assert "STEPWELL_DATASTORE_ROOT" in done.stderr
    assert not (project.path / "config").exists()


def shared(url: str, **more: str) -> str:
    return json.dumps({"STEPWELL_METADATA": "service", "STEPWELL_SERVICE_URL": url, **more})


def test_an_import_tries_the_connections_with_the_credentials_given(project: Project) -> None:
    with answering() as asked:
        project.write(shared(asked.url, STEPWELL_SERVICE_AUTH_KEY="hush"), "given.json")
        done = project.stepwell("configure", "import", "given.json")
        assert f"metadata   {asked.url}  answers" in done.stdout
        assert asked.requests[0][2]["x-api-key"] == "hush"
        assert project.stepwell("configure", "validate").returncode == 0
    away = project.stepwell("configure", "import", "given.json")
    assert (away.returncode, "does not answer" in away.stdout, "validate" in away.stderr) == (0, True, True)
    assert project.stepwell("configure", "import", "given.json", "--no-connect").stderr == ""
    refused = project.stepwell("configure", "validate")
    assert (refused.returncode, "does not answer" in refused.stdout) == (1, True)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"status": 403}, "auth key"),
        ({"status": 200, "body": b"<html>Please log in</html>"}, "web page"),
        ({"status": 404, "body": b"404 page not found"}, "no such route"),
        ({"status": 503}, "not available"),
        ({"status": 302, "Location": "https://login.example.com"}, "redirects to https://login.example.com"),
    ],
    ids=str,
)
def test_what_is_no_service_or_does_not_let_us_in_is_said(project: Project, answer: dict[str, Any], says: str) -> None:
    with answering(**answer) as asked:
        done = project.stepwell("configure", "validate", STEPWELL_METADATA="service", STEPWELL_SERVICE_URL=asked.url)
    assert done.returncode == 1
    assert says in done.stdout


def test_profiles_keep_files_apart(project: Project) -> None:
    text = '{"STEPWELL_USER": "ann"}'
    command = [sys.executable, "-m", "stepwell", "configure", "import", "-", "--profile", "prod"]
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, cwd=project.path, env=project.environment, timeout=120
    )
    assert "config_prod.json" in done.stdout
    without_user = {"STEPWELL_USER": "", "STEPWELL_PROFILE": "prod"}
    shown = json.loads(project.stepwell("status", "--json", **without_user).stdout)["STEPWELL_USER"]
    assert (shown["value"], "config_prod.json" in shown["source"]) == ("ann", True)
    assert "ann" in project.stepwell("configure", "show", "--profile", "prod").stdout
    assert project.stepwell("configure", "show").returncode == 1  # the default profile has none
    assert project.stepwell("configure", "export", "copy.json", STEPWELL_PROFILE="prod").returncode == 0
    assert json.loads((project.path / "copy.json").read_text()) == json.loads(text)
    assert project.stepwell("configure", "reset", "--yes", "--profile", "prod").returncode == 0
    gone = project.stepwell("status", **without_user)
    assert (gone.returncode, "--profile prod" in gone.stderr) == (1, True)
    odd = project.stepwell("status", STEPWELL_PROFILE="../prod")
    assert (odd.returncode, "no name of a profile" in odd.stderr) == (1, True)


def test_status_shows_where_each_value_comes_from(project: Project) -> None:
    project.write('{"STEPWELL_AWS_REGION": "eu-west-1", "STEPWELL_DATASTORE": "local"}', "given.json")
    assert project.stepwell("configure", "import", "given.json").returncode == 0
    shown = project.stepwell("status", STEPWELL_AWS_REGION="us-east-2").stdout
    assert f"settings   {project.path / 'config' / 'config.json'}" in shown
    assert "STEPWELL_AWS_REGION = us-east-2    (environment variable STEPWELL_AWS_REGION)" in shown
    assert "config.json (STEPWELL_DATASTORE))" in shown
    assert "STEPWELL_METADATA = local    (default)" in shown


def test_a_mistyped_setting_says_which_was_meant(project: Project) -> None:
    (project.path / "team.json").write_text(json.dumps({"STEPWEL_METADATA": "local"}))
    imported = project.stepwell("configure", "import", "team.json", "--no-connect")
    assert "does not use STEPWEL_METADATA. Did you mean 'STEPWELL_METADATA'?" in imported.stderr
    status = project.stepwell("status", STEPWELL_DATASTOR="s3", STEPWELL_RUN_ALPHA="1")
    warned = [line for line in status.stderr.splitlines() if line.startswith("Warning")]
    assert warned == ["Warning: STEPWELL_DATASTOR is set, and is no setting. Did you mean 'STEPWELL_DATASTORE'?"]
