"""What `python -m cas_store` promises."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cas_store import ContentStore, Digest, LocalBackend, ObjectStore
from cas_store.command import main


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"some text " * 500_000)
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return status, out, err


def put(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    status, out, err = run(capfd, "put", *arguments)
    assert (status, err) == (0, "")
    return out.split()[0]


def test_it_runs_as_a_module(root: str, file: Path) -> None:
    command = [sys.executable, "-m", "cas_store"]
    digest = subprocess.run([*command, "put", root, file], check=True, capture_output=True, text=True).stdout.split()[0]
    assert subprocess.run([*command, "get", root, digest], check=True, capture_output=True).stdout == file.read_bytes()
    assert subprocess.run([*command, "put"], check=False, capture_output=True).returncode == 2


def test_a_file_goes_in_and_out(root: str, file: Path, tmp_path: Path, capfd: Any) -> None:
    digest = put(capfd, root, file)
    assert run(capfd, "get", root, digest, "-o", tmp_path / "copy")[0] == 0
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    assert run(capfd, "stat", root, digest)[1] == f"{digest}  5000000 bytes in 2 pieces\n"
    assert put(capfd, root, "--plain", file) == f"sha256-file:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def test_standard_input_is_a_file(root: str, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"abc")))
    assert put(capfd, root, "-") == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"


def test_fsck_says_what_is_damaged_and_exits_1(root: str, file: Path, capfd: Any, tmp_path: Path) -> None:
    digest = put(capfd, root, "--plain", file)
    assert run(capfd, "fsck", root) == (0, "1 files, 5000000 bytes: sound\n", "")
    store = ContentStore(LocalBackend(root))
    store.backend.replace(store.location(Digest.parse(digest)), b"?")
    status, out, _ = run(capfd, "fsck", root, "--quarantine")
    assert status == 1
    assert out.startswith(f"damaged     {digest}: its 1 bytes have another digest (moved to quarantine/v1/")
    assert run(capfd, "fsck", root)[0] == 0
    status, out, err = run(capfd, "get", root, digest, "-o", tmp_path / "copy")
    assert (status, out) == (1, "")
    assert re.fullmatch(f"cas_store: {digest} is not in the store: .*\n", err)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("copy")]


def test_gc_keeps_what_the_file_of_live_digests_and_references_names(
    root: str, file: Path, capfd: Any, tmp_path: Path
) -> None:
    store = ContentStore(LocalBackend(root))
    kept, reference = put(capfd, root, file), ObjectStore(store).save("text " * 100)
    store.put(b"garbage")
    live = tmp_path / "live"
    live.write_text(f"{kept}\n\n{json.dumps(reference.to_json())}\n")
    assert run(capfd, "gc", root, "--live", live, "--grace", "0", "--dry-run")[1].startswith(
        "would have deleted 1 files, 7 bytes"
    )
    assert run(capfd, "gc", root, "--live", live)[1] == "deleted 0 files, 0 bytes; spared 0\n"
    assert run(capfd, "gc", root, "--live", live, "--grace", "0")[1] == "deleted 1 files, 7 bytes; spared 0\n"
    assert len(list(store)) == 4
    live.write_text("nonsense\n")
    status, _, err = run(capfd, "gc", root, "--live", live, "--grace", "0")
    assert status == 3
    assert "Nothing was deleted" in err


def test_usage_and_sync(root: str, file: Path, capfd: Any, tmp_path: Path) -> None:
    put(capfd, root, file)
    assert "logical bytes  5000000\n" in run(capfd, "usage", root)[1]
    assert run(capfd, "sync", root, tmp_path / "other")[1].startswith("copied 3 files")
    assert run(capfd, "sync", root, tmp_path / "other")[1] == "copied 0 files, 0 bytes\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("get", "nonsense"), 2),
        (("stat", "sha256:" + "0" * 64), 1),
        (("put", "no such file"), 3),
        (("gc", "--live", "no such file"), 3),
        (("gc", "--live", os.devnull, "--grace", "59m"), 3),
    ],
)
def test_an_error_is_one_line_and_a_status(root: str, capfd: Any, arguments: tuple[str, ...], status: int) -> None:
    Path(root).mkdir()
    got, out, err = run(capfd, arguments[0], root, *arguments[1:])
    assert (got, out) == (status, "")
    assert re.fullmatch("cas_store: .+\n", err)


@pytest.mark.parametrize("command", ["fsck", "usage"])
def test_a_store_that_is_not_there_is_not_called_sound(root: str, capfd: Any, command: str) -> None:
    assert run(capfd, command, root) == (
        3,
        "",
        f"cas_store: there is no store at {root}: check the path; put makes new ones\n",
    )
    assert not Path(root).exists()


@pytest.mark.parametrize("arguments", [(), ("destroy",), ("gc", "x"), ("fsck", "x", "--remove-leftovers", "soon")])
def test_bad_usage_exits_2(arguments: tuple[str, ...], capfd: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capfd.readouterr().err


def test_progress_is_shown_on_a_terminal_only(
    root: str, file: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(capfd, root, file)
    assert run(capfd, "fsck", root)[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "checking: 3 files, 0 MiB" in run(capfd, "fsck", root)[2]
