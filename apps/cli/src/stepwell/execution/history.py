"""What the metadata store is told of a run: steps, tasks, artifact pointers, and how attempts ended."""

from __future__ import annotations
