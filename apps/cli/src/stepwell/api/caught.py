"""What `@catch` keeps of an exception."""

from __future__ import annotations

import attrs


@attrs.frozen(str=False)
class CaughtException:
    """An exception as an artifact: text only, so that it can be read where the exception's own class is not.

    `type` is the class's qualified name, `exception` its message, `stacktrace` what Python shows, the user's part of it.
    """

    type: str
    exception: str
    stacktrace: str

    @classmethod
    def of(cls, error: BaseException, stacktrace: str) -> CaughtException:
        """What is kept of `error`."""
        kind = type(error)
        return cls(f"{kind.__module__}.{kind.__qualname__}", str(error), stacktrace)

    def __str__(self) -> str:
        return self.stacktrace or f"{self.type}: {self.exception}"
