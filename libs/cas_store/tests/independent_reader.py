"""A reader written from FORMAT.md alone: it uses the standard library and the codec, and nothing of cas_store."""

import base64
import contextlib
import hashlib
import sqlite3
import struct
import sys
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_PIECE_BYTES = 16 * 1024 * 1024
LISTS = {"sha256-cdc": 1, "sha256-pages": 2}


def require(condition, what):
    if not condition:
        raise ValueError(what)


def stored(root, digest):
    algorithm, hexadecimal = digest.split(":")
    path, small = Path(root, "v1", algorithm, hexadecimal[:2], hexadecimal), Path(root, "v2", "small.sqlite")
    if path.exists() or algorithm != "sha256" or not small.exists():
        return path.read_bytes()
    with contextlib.closing(sqlite3.connect(f"file:{small}?mode=ro", uri=True)) as rows:
        return rows.execute("select data from piece where sha256 = ?", (bytes.fromhex(hexadecimal),)).fetchone()[0]


def read_piece(root, digest):
    data = stored(root, digest)
    if data[:4] == MAGIC:
        declared = zstd.get_frame_info(data[:18]).decompressed_size
        require(declared is not None and declared <= MAX_PIECE_BYTES, f"{digest}: declared size")
        decompressor = zstd.ZstdDecompressor()
        data = decompressor.decompress(data, declared + 1)
        require(decompressor.eof and not decompressor.unused_data and len(data) == declared, f"{digest}: frame")
    require(len(data) <= MAX_PIECE_BYTES and hashlib.sha256(data).hexdigest() == digest[-64:], digest)
    return data


def read_list(root, digest):
    data = stored(root, digest)
    require(hashlib.sha256(data).hexdigest() == digest[-64:], digest)
    magic, version, kind, _, count, total = struct.unpack_from("<4sBBHIQ", data)
    require((magic, version, kind) == (b"CASL", 1, LISTS[digest.split(":")[0]]), f"{digest}: head")
    require(len(data) == 20 + 36 * count, f"{digest}: length")
    pieces = []
    for at in range(20, len(data), 36):
        (size,) = struct.unpack_from("<I", data, at)
        piece = read_piece(root, "sha256:" + data[at + 4 : at + 36].hex())
        require(len(piece) == size, f"{digest}: a piece's length")
        pieces.append(piece)
    whole = b"".join(pieces)
    require(len(whole) == total, f"{digest}: total")
    return whole


def read(root, digest):
    algorithm = digest.split(":")[0]
    if algorithm in LISTS:
        return read_list(root, digest)
    if algorithm == "sha256":
        return read_piece(root, digest)
    require(algorithm == "sha256-file", f"{digest}: algorithm")
    data = stored(root, digest)
    require(hashlib.sha256(data).hexdigest() == digest[-64:], digest)
    return data


def read_reference(root, reference):
    """The serializer's name, the head, and the buffers of a stored value."""
    require(reference["v"] == 1, "version of the reference")
    head = base64.b64decode(reference["inline"]) if "inline" in reference else read(root, reference["head"])
    return reference["as"], head, [read(root, digest) for digest in reference.get("buffers", [])]
