"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from stepwell.whole_files import write_whole


def test_a_reader_sees_the_old_or_the_new_and_never_a_part(tmp_path: Path) -> None:
    file, over, seen = tmp_path / "id", threading.Event(), set[str]()
    texts = ["a" * 50_000, "b" * 50_000]
    write_whole(file, texts[0])

    def read() -> None:
        while not over.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for round_ in range(200):
        write_whole(file, texts[round_ % 2])
    over.set()
    reader.join()
    assert seen <= set(texts)
    assert [path.name for path in tmp_path.iterdir()] == ["id"]


def test_permissions_are_the_given_ones_or_those_that_were_there(tmp_path: Path) -> None:
    private, shared = tmp_path / "private", tmp_path / "shared"
    write_whole(private, "key", mode=0o600)
    shared.write_text("old")
    shared.chmod(0o664)
    write_whole(shared, "new")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (private, shared)] == [0o600, 0o664]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "12")
    reader.join()
    assert read == ["12"]
    assert pipe.is_fifo()


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file or directory"):
        write_whole(tmp_path / "absent" / "id", "12")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", "12")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_lies_where_no_other_file_can_be_made_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "id").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write everywhere
    inode = (tmp_path / "id").stat().st_ino
    write_whole(tmp_path / "id", "new")
    assert ((tmp_path / "id").read_text(), (tmp_path / "id").stat().st_ino) == ("new", inode)
