"""Where settings come from, and what wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project
from stepwell.config import SETTINGS, datastore_root, load_settings, local_root, metadata_url, user_name
from stepwell.errors import SettingsError


def settings(tmp_path: Path, file: dict[str, str] | None = None, **environment: str):
    if file is not None:
        (tmp_path / "config.json").write_text(json.dumps(file))
    return load_settings({"STEPWELL_CONFIG_DIR": str(tmp_path), **environment})


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    name = "STEPWELL_DATASTORE"
    assert settings(tmp_path).lookup(name).source == "default"
    in_file = settings(tmp_path, {name: "s3"})
    assert (in_file.get(name), in_file.lookup(name).source) == ("s3", f"{tmp_path}/config.json ({name})")
    in_environment = settings(tmp_path, {name: "s3"}, STEPWELL_DATASTORE="local")
    assert in_environment.get(name) == "local"
    assert in_environment.override(STEPWELL_DATASTORE="s3", STEPWELL_METADATA=None).get(name) == "s3"


@pytest.mark.parametrize("setting", [one for one in SETTINGS.values() if one.metaflow], ids=lambda one: one.name)
def test_names_of_metaflows_configuration_are_understood(tmp_path: Path, setting) -> None:
    value = setting.choices[-1] if setting.choices else "value"
    assert settings(tmp_path, {setting.metaflow[0]: value}).get(setting.name) == value


def test_a_user_without_a_home_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert load_settings({}).file == {}


def test_a_profile_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config_prod.json").write_text('{"STEPWELL_USER": "ann"}')
    assert user_name(settings(tmp_path, STEPWELL_PROFILE="prod")) == "ann"


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "null"])
def test_a_file_that_is_no_settings_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(SettingsError, match=r"config\.json"):
        settings(tmp_path)


def test_the_local_root_is_the_nearest_parent_that_has_one(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert local_root(below) == below / ".stepwell"
    (tmp_path / ".stepwell").mkdir()
    assert local_root(below) == tmp_path / ".stepwell"


def test_s3_needs_a_root_on_s3_and_the_service_a_url(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="STEPWELL_DATASTORE_ROOT"):
        datastore_root(settings(tmp_path, STEPWELL_DATASTORE="s3"))
    with pytest.raises(SettingsError, match="s3://bucket/prefix"):
        datastore_root(settings(tmp_path, STEPWELL_DATASTORE="s3", STEPWELL_DATASTORE_ROOT="/data"))
    with pytest.raises(SettingsError, match="STEPWELL_SERVICE_URL"):
        metadata_url(settings(tmp_path, STEPWELL_METADATA="service"))
    shared = settings(tmp_path, STEPWELL_METADATA="service", STEPWELL_SERVICE_URL="http://127.0.0.1:8080/")
    assert metadata_url(shared) == "http://127.0.0.1:8080"


def test_an_imported_file_is_in_force_and_its_secrets_are_not_shown(project: Project) -> None:
    given = {"METAFLOW_SERVICE_URL": "http://127.0.0.1:1", "STEPWELL_SERVICE_AUTH_KEY": "hush", "UNKNOWN": "x"}
    project.write(json.dumps(given), "given.json")
    done = project.stepwell("configure", "import", "given.json")
    assert done.returncode == 0
    assert "UNKNOWN" in done.stderr
    shown = project.stepwell("status").stdout
    assert "STEPWELL_SERVICE_URL = http://127.0.0.1:1" in shown
    assert "hush" not in shown
    assert "hush" not in project.stepwell("status", "--json").stdout
    assert (project.path / "config" / "config.json").stat().st_mode & 0o077 == 0
