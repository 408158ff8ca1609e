"""The command line. Results go to standard output; progress, on a terminal, and errors of one line to standard error.

Exit status: 0 done; 1 the store is damaged or an object is missing or damaged; 2 bad usage; 3 anything else that went wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from cas_store import copying
from cas_store.backend import Backend
from cas_store.digests import Digest
from cas_store.errors import (
    BackendError,
    BadDigest,
    BadName,
    CasStoreError,
    DamagedObject,
    DamagedReference,
    MissingObject,
)
from cas_store.local import LocalBackend
from cas_store.progress import Progress, Watch
from cas_store.references import Reference
from cas_store.s3 import S3Backend
from cas_store.store import ContentStore

DONE, UNSOUND, BAD_USAGE, FAILED = range(4)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    run: Callable[[Any], int] = options.run
    try:
        return run(options)
    except (BadDigest, BadName, DamagedReference) as error:
        return _failed(error, BAD_USAGE)
    except (MissingObject, DamagedObject) as error:
        return _failed(error, UNSOUND)
    except (CasStoreError, OSError, ValueError) as error:
        return _failed(error, FAILED)
    except KeyboardInterrupt:
        return _failed("interrupted", FAILED)


def _failed(error: object, status: int) -> int:
    print(f"cas_store: {' '.join(str(error).split())}", file=sys.stderr)
    return status


# --- commands


def _put(options: argparse.Namespace) -> int:
    store = _store(options.store, options, new=True)
    for name in options.file:
        digest = store.put(sys.stdin.buffer if name == "-" else Path(name), plain=options.plain)
        print(digest, name, sep="  ")
    return DONE


def _get(options: argparse.Namespace) -> int:
    store = _store(options.store, options)
    digest = Digest.parse(options.digest)
    with _whole_file(options.output) as file:
        for part in store.parts(digest):
            file.write(part)
    return DONE


def _stat(options: argparse.Namespace) -> int:
    store = _store(options.store, options)
    for text in options.digest:
        stat = store.stat(Digest.parse(text))
        print(f"{text}  {stat.size_bytes} bytes in {stat.pieces} pieces")
    return DONE


def _fsck(options: argparse.Namespace) -> int:
    with _watching() as watch:
        report = _store(options.store, options).fsck(
            quarantine=options.quarantine, remove_leftovers=options.remove_leftovers, progress=watch
        )
    for digest, detail in report.damaged.items():
        moved = report.quarantined.get(digest)
        print(f"damaged     {digest}: {detail}{f' (moved to {moved})' if moved else ''}")
    for piece, whole in report.missing.items():
        print(f"missing     {piece}, a part of {whole}")
    for digest, reason in report.unreadable.items():
        print(f"unreadable  {digest}: {reason}")
    for name in report.leftovers:
        print(f"{'removed   ' if name in report.removed else 'leftover  '}  {name}")
    for name in report.unknown:
        print(f"unknown     {name}")
    print(f"{report.objects} files, {report.size_bytes} bytes: {'sound' if report.ok else 'NOT sound'}")
    return DONE if report.ok else UNSOUND


def _gc(options: argparse.Namespace) -> int:
    store = _store(options.store, options)
    with _watching() as watch, _opened(options.live) as lines:
        report = store.collect_garbage(
            _live(lines), grace=options.grace, dry_run=options.dry_run, resume=options.resume, progress=watch
        )
    would = "would have " if report.dry_run else ""
    print(f"{would}deleted {report.deleted} files, {report.deleted_bytes} bytes; {would}spared {report.spared}")
    if report.condemned and report.due:
        print(f"{would}condemned {report.condemned} files, {report.condemned_bytes} bytes: "
              f"a call from {report.due:%Y-%m-%d %H:%M} UTC on deletes them")  # fmt: skip
    return DONE


def _usage(options: argparse.Namespace) -> int:
    with _watching() as watch:
        usage = _store(options.store, options).usage(progress=watch)
    print(f"objects        {usage.objects}")
    print(f"logical bytes  {usage.logical_bytes}")
    print(f"stored bytes   {usage.stored_bytes}")
    print(f"ratio          {usage.ratio:.2f}")
    return DONE


def _sync(options: argparse.Namespace) -> int:
    source, target = _store(options.source, options), _store(options.target, options, new=True)
    with _watching() as watch:
        report = copying.sync(source, target, progress=watch)
    print(f"copied {report.copied} files, {report.copied_bytes} bytes")
    return DONE


# --- arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cas_store", description="Keep bytes exactly once, by content.")
    parser.add_argument("--endpoint-url", help="the S3 server, if it is not AWS's")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], int], name: str, about: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=about, description=about)
        one.set_defaults(run=run)
        return one

    def with_store(one: argparse.ArgumentParser) -> argparse.ArgumentParser:
        one.add_argument("store", help="a directory or s3://bucket/prefix")
        return one

    put = with_store(command(_put, "put", "Store files and print their digests."))
    put.add_argument("file", nargs="+", help="a path, or - for standard input")
    put.add_argument("--plain", action="store_true", help="keep each as one file, as it is")
    get = with_store(command(_get, "get", "Write an object's bytes, verified."))
    get.add_argument("digest")
    get.add_argument("-o", "--output", help="a file to write, whole or not at all (default: standard output)")
    stat = with_store(command(_stat, "stat", "Tell the size of objects."))
    stat.add_argument("digest", nargs="+")
    fsck = with_store(command(_fsck, "fsck", "Read and verify everything."))
    fsck.add_argument("--quarantine", action="store_true", help="move damaged files aside")
    fsck.add_argument("--remove-leftovers", type=_duration, metavar="AGE", help="delete leftovers older than this (1d)")
    gc = with_store(command(_gc, "gc", "Delete what is not live: condemn it, and a grace later delete it."))
    gc.add_argument(
        "--live", required=True, help="a file of digests, or references as JSON, one a line; - for standard input"
    )
    gc.add_argument(
        "--grace", type=_duration, default=timedelta(days=1), help="1h or more, 0 if nobody else uses the store"
    )
    gc.add_argument("--dry-run", action="store_true", help="only tell what would happen")
    gc.add_argument("--resume", action="store_true", help="take over at once from a sweep that was killed")
    with_store(command(_usage, "usage", "Count objects, bytes, and what keeping everything once saves."))
    sync = command(_sync, "sync", "Copy everything that the target lacks; nothing is deleted.")
    sync.add_argument("source")
    sync.add_argument("target")
    return parser


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])|0", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 30m, 12h or 1d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])}) if match[2] else timedelta(0)


def _store(where: str, options: argparse.Namespace, *, new: bool = False) -> ContentStore:
    backend: Backend
    if "://" in where:
        backend = S3Backend(where, endpoint_url=options.endpoint_url)
    elif new or Path(where).is_dir():
        backend = LocalBackend(where)
    else:
        raise BackendError(f"there is no store at {where}: check the path; put makes new ones")
    return ContentStore(backend)


def _live(lines: TextIO) -> Iterator[Digest | Reference]:
    import json

    for line in lines:
        text = line.strip()
        if text:
            yield Reference.from_json(json.loads(text)) if text.startswith("{") else Digest.parse(text)


# --- files and the terminal


@contextlib.contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    with Path(name).open(encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def _whole_file(name: str | None) -> Iterator[BinaryIO]:
    """Standard output, or a file that gets its name only when all of it was written."""
    if name is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    target = Path(name)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _watching() -> Iterator[Watch | None]:
    """What shows progress in one line of the terminal, if there is one."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(progress: Progress) -> None:
        print(f"\r\x1b[K{progress.stage}: {progress.objects:,} files, {progress.size_bytes / 2**20:,.0f} MiB",
              end="", file=sys.stderr, flush=True)  # fmt: skip

    try:
        yield show
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
