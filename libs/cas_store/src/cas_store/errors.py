"""Everything that can go wrong, one tree.

    CasStoreError
    ├── BadDigest            a string that is no digest                      (also a ValueError)
    ├── BadName              a name that no backend may see                  (also a ValueError)
    ├── UnsupportedFormat    written by a later version of this library
    ├── MissingObject        nothing is stored under that digest or name     (also a KeyError)
    ├── DamagedObject        what is stored is not what was put
    │   └── DamagedReference     what was to be read as a reference is none  (also a ValueError)
    ├── UnserializableObject a value that cannot be turned into bytes
    ├── UnloadableObject     bytes that are whole, but cannot be turned into a value here
    ├── MissingExtra         an optional dependency is not installed
    ├── SweepRefused         garbage collection could not be safe
    └── BackendError         the storage behind the store failed
        ├── BackendUnavailable   retried within the budget, in vain          (retryable)
        ├── StoreFull            no space, or a quota is used up             (retryable: after making room)
        ├── AccessDenied         read-only, or not permitted
        └── ArchivedObject       in cold storage, has to be restored first

Errors carry data; what is worth trying again says ``retryable = True``. Errors of the operating system, botocore and the codec
never leak: they are the ``__cause__``.
"""

from __future__ import annotations

from typing import ClassVar


class CasStoreError(Exception):
    """Base of all errors of this package."""

    retryable: ClassVar[bool] = False


class BadDigest(CasStoreError, ValueError):
    """A text that is not a digest; ``text`` holds it."""

    def __init__(self, text: object) -> None:
        super().__init__(
            f"{str(text)[:200]!r} is not a digest: expected an algorithm, a colon and 64 hexadecimal digits, "
            "as str(digest) gives"
        )
        self.text = text


class BadName(CasStoreError, ValueError):
    """A name that could leave its root or that some backend cannot keep, or no URL of a bucket; ``name`` holds it."""

    def __init__(self, name: object, what: str = "a name", expected: str = "") -> None:
        form = expected or (
            "a relative path with '/' between its parts, no empty part, no '.' or '..', no part above 255 bytes, "
            "no backslash or control character, and nothing under '.tmp'"
        )
        super().__init__(f"{str(name)[:200]!r} is not {what}: expected {form}")
        self.name = name


class UnsupportedFormat(CasStoreError):
    """Something of a format version that this release does not know; ``what`` and ``version`` say which."""

    def __init__(self, what: str, version: object) -> None:
        super().__init__(f"{what} has format {version!r}, which a later stepwell-cas-store wrote: upgrade to read it")
        self.what = what
        self.version = version


class MissingObject(CasStoreError, KeyError):
    """Nothing is stored under ``key`` (a digest or a name), nor in the ``sources`` that a store reads through to."""

    def __init__(self, key: object, part_of: object = None, sources: tuple[str, ...] = ()) -> None:
        super().__init__(key)
        self.key = key
        self.part_of = part_of
        self.sources = sources

    def __str__(self) -> str:
        whole = f", a part of {self.part_of}," if self.part_of else ""
        nor = f", nor in {', '.join(self.sources)}, from where it was to come" if self.sources else ""
        return f"{self.key}{whole} is not in the store{nor}: it was never stored, or was deleted or collected since"


class DamagedObject(CasStoreError):
    """What is stored under ``key`` is not what was put; never returned. ``detail`` says what was seen."""

    def __init__(self, key: object, detail: str, part_of: object = None) -> None:
        whole = f", a part of {part_of}," if part_of else ""
        super().__init__(
            f"{key}{whole} is damaged: {detail}. Run fsck to find all damage; fsck with quarantine moves it aside, "
            "so that storing the same content again repairs it"
        )
        self.key = key
        self.detail = detail
        self.part_of = part_of


class DamagedReference(DamagedObject, ValueError):
    """What was kept of a reference is not what ``Reference.to_json`` gives; ``detail`` holds its beginning."""

    def __init__(self, text: str) -> None:
        super().__init__("a reference", f"{text!r} is not what Reference.to_json() gives")

    def __str__(self) -> str:
        return f"{self.detail}: look where it was kept, or save the value again"


class UnserializableObject(CasStoreError):
    """A value that cannot be turned into bytes; ``path`` leads to the part that cannot, where known."""

    def __init__(self, path: str, type_name: str, reason: str) -> None:
        super().__init__(
            f"{path} (a {type_name}) cannot be stored: {reason}. Keep it out of what is stored, "
            "or register a serializer for its type"
        )
        self.path = path
        self.type_name = type_name
        self.reason = reason


class UnloadableObject(CasStoreError):
    """Bytes that are whole but cannot become a value here: usually a module is not installed."""

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(f"{key} is whole, but cannot be loaded here: {reason}")
        self.key = key
        self.reason = reason


class MissingExtra(CasStoreError):
    """An optional dependency is not installed; ``extra`` names what brings it."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed: pip install 'stepwell-cas-store[{extra}]'")
        self.module = module
        self.extra = extra


class SweepRefused(CasStoreError):
    """Garbage collection stopped before it deleted something it should not."""


class BackendError(CasStoreError):
    """The storage behind the store failed; ``name`` is what it was asked for, if anything."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(message)
        self.name = name


class BackendUnavailable(BackendError):
    """Tried again until the budget was used up, in vain: later may be better."""

    retryable = True


class StoreFull(BackendError):
    """No space is left, or a quota is used up. What was stored before is untouched."""

    retryable = True


class AccessDenied(BackendError):
    """The store may not be read or written by this user, or is mounted read-only."""


class ArchivedObject(BackendError):
    """A lifecycle rule moved the object to cold storage; ``storage_class`` says where."""

    def __init__(self, name: str, storage_class: str) -> None:
        super().__init__(
            f"{name} is archived ({storage_class}): restore it in S3 (restore-object), wait until it is restored, "
            "try again; keep the store's prefix out of archiving lifecycle rules",
            name,
        )
        self.storage_class = storage_class
