"""The code that a run's jobs ran with: the flow's folder as it was, out of the run's code package."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path, PurePosixPath

import attrs
from cas_store import ContentStore, Digest

from stepwell.errors import ClientError

_FLOW = "flow/"


@attrs.frozen
class Code:
    """The Python files of a flow's folder, by their path in it. `script_name` is the flow file, `path` names the package."""

    path: str
    script_name: str
    files: Mapping[str, bytes] = attrs.field(repr=False)

    @property
    def flowspec(self) -> str:
        """The text of the flow file."""
        return self.files[self.script_name].decode("utf-8", "replace")

    def extract(self, folder: Path) -> int:
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


def read_code(content: ContentStore, package: str, script: str) -> Code:
    """The flow's part of a code package."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content.get(Digest.parse(package))), mode="r:gz") as archive:
        for member in archive:
            name = PurePosixPath(member.name.removeprefix(_FLOW))
            if member.isfile() and member.name.startswith(_FLOW) and ".." not in name.parts and not name.is_absolute():
                stream = archive.extractfile(member)
                files[str(name)] = stream.read() if stream else b""
    return Code(package, script, files)
