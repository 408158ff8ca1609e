"""A real nginx before instances of a service, under the configuration that a page of the documentation gives administrators."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_BLOCK = re.compile(r"^```nginx\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PORT = re.compile(r"(?<=\blisten )\d+(?=;)|(?<=:)\d+(?= )")
# What a distribution's nginx.conf has around a site, and where files go that are not its business here.
_AROUND = """
daemon off;
pid nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
{site}
}}
"""
SECONDS_TO_START = 240


def nginx_available() -> bool:
    """Whether nginx is installed here."""
    return _program() is not None


def documented_site(page: Path) -> str:
    """The one block of nginx's configuration on a page."""
    (site,) = _BLOCK.findall(page.read_text())
    return str(site)


@contextlib.contextmanager
def nginx(site: str, ports: Mapping[int, int], folder: Path) -> Iterator[str]:
    """The URL of an nginx with this site, each port in it taken for another; what it complains of goes to `folder`/errors.

    The site listens on one port, on 127.0.0.1 here.
    """
    program = _program()
    assert program, "needs nginx: apt-get install nginx-light"
    placed = _PORT.sub(lambda found: str(ports[int(found.group())]), site)
    (listening,) = re.findall(r"\blisten (\d+);", placed)
    placed = placed.replace(f"listen {listening};", f"listen 127.0.0.1:{listening};")
    (folder / "nginx.conf").write_text(_AROUND.format(site=placed))
    process = subprocess.Popen([program, "-p", str(folder), "-c", "nginx.conf", "-e", "errors"])
    try:
        _wait_for(int(listening), process)
        yield f"http://127.0.0.1:{listening}"
    finally:
        process.terminate()
        process.wait(120)


def _program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx does not listen on port {port}")
