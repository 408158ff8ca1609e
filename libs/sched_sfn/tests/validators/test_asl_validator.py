"""The golden machines pass asl-validator, the npm package that knows the schema of each state and parses JSONata."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

GOLDENS = sorted((Path(__file__).parents[1] / "goldens").glob("*.json"))
SECONDS = 120


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    command = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "asl-validator@4",
    ]
    subprocess.run(command, check=True, timeout=SECONDS, cwd=folder, capture_output=True)
    return folder / "node_modules" / ".bin" / "asl-validator"


def validate(validator: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(validator), "--json-path", str(file)]
    return subprocess.run(command, check=False, timeout=SECONDS, capture_output=True, text=True)


@pytest.mark.parametrize("file", GOLDENS, ids=lambda file: file.stem)
def test_a_golden_machine_is_valid(validator: Path, file: Path) -> None:
    result = validate(validator, file)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_validator_sees_a_broken_expression(validator: Path, tmp_path: Path) -> None:
    definition = json.loads(GOLDENS[0].read_text())
    definition["States"][definition["StartAt"]]["Output"] = {"path": "{% $states.input. %}"}
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(definition))
    assert validate(validator, file).returncode != 0
