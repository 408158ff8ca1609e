"""The code that a run's jobs ran with: the flow's folder as it was, out of the run's code package."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import attrs
from cas_store import ContentStore, Digest

from stepwell.errors import ClientError

_FLOW = "flow/"


@attrs.frozen
class Code:
    """The files of a flow's folder, by their path in it. `path` names the package, `info` says of whose run it is.

    `info` has the flow's name, the flow file (`script`), the user, and the versions of Python and stepwell, all texts.
    """

    path: str
    info: Mapping[str, str | None]
    files: Mapping[str, bytes] = attrs.field(repr=False)

    @property
    def script_name(self) -> str:
        """The flow file."""
        return self.info["script"] or ""

    @property
    def flowspec(self) -> str:
        """The text of the flow file."""
        return self.files[self.script_name].decode("utf-8", "replace")

    @property
    def tarball(self) -> tarfile.TarFile:
        """The files as an archive, in memory."""
        memory = io.BytesIO()
        with tarfile.open(fileobj=memory, mode="w") as archive:
            for name, data in self.files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        memory.seek(0)
        return tarfile.open(fileobj=memory)

    def extract(self) -> TemporaryDirectory[str]:
        """Write the files into a temporary directory, which goes when it is left, or forgotten; its `name` is the path."""
        folder = TemporaryDirectory(prefix="stepwell-code-")
        self.save(Path(folder.name))
        return folder

    def save(self, folder: Path) -> int:
        """Write the files into a new or an empty folder; gives how many there are. Raises `ClientError` where it cannot."""
        if folder.exists() and any(folder.iterdir()):
            raise ClientError(f"The folder {folder} is not empty: name one that is, or that is not there yet")
        try:
            for name, data in self.files.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        except OSError as error:
            raise ClientError(f"The code cannot be written into {folder}: {error.strerror}") from error
        return len(self.files)

    def diff(self, folder: Path, names: Iterable[str] = ()) -> Iterator[str]:
        """The lines of a unified diff from this code to what a folder holds of it, and to `names` that only the folder has."""
        for name in sorted({*self.files, *names}):
            here = folder / name
            old = self.files.get(name, b"").decode("utf-8", "replace").splitlines(keepends=True)
            new = here.read_text("utf-8", "replace").splitlines(keepends=True) if here.is_file() else []
            yield from unified_diff(old, new, f"run/{name}", f"here/{name}")


def read_code(content: ContentStore, package: str, info: Mapping[str, str | None]) -> Code:
    """The flow's part of a code package; see `Code` for `info`."""
    files = {}
    with zipfile.ZipFile(io.BytesIO(content.get(Digest.parse(package)))) as archive:
        for member in archive.namelist():
            name = PurePosixPath(member.removeprefix(_FLOW))
            if member.startswith(_FLOW) and ".." not in name.parts and not name.is_absolute():
                files[str(name)] = archive.read(member)
    return Code(package, info, files)
