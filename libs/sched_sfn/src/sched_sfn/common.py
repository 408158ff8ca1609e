"""What all Batch jobs of a machine have in common, and how their states refer to it.

A state refers to what is common by its name, `$shared.queue`, wherever that is much shorter than the value itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from sched_sfn.running import StepTask
from sched_sfn.values import Jsonata, Template, expression_of, quoted

if TYPE_CHECKING:
    from sched_sfn.batch import BatchJob

Text = str | Template
QUEUE, DEFINITION, TAGS = "queue", "definition", "tags"
OF_ALL_TASKS = frozenset({"execution"})
"""The slots whose values are the same for all tasks; the input is left out, as it can be long and few tasks want it."""

WORTHWHILE = 16
"""Bytes that a reference must save: for less nobody should have to look elsewhere."""


@attrs.frozen
class Common:
    """The texts (queue, definition, variables of the environment, by name) and the tags that jobs have in common."""

    texts: Mapping[str, Text]
    tags: Mapping[str, Text]

    def shared(self, first: StepTask) -> dict[str, Any]:
        """What to hold in the variable: all that is worth a reference to it."""
        texts = {name: first.fill(text) for name, text in self.texts.items()}
        found: dict[str, Any] = {
            name: text for name, text in texts.items() if saves(str(first.shared_value(name)), text)
        }
        tags = {key: first.fill(text) for key, text in self.tags.items()}
        return {**found, TAGS: tags} if saves(str(first.shared_value(TAGS)), tags) else found

    def text(self, name: str, text: Text, task: StepTask) -> str:
        """A text of a job that may be common, as a value of the state."""
        literal = task.fill(text)
        reference = str(task.shared_value(name))
        return reference if self.texts.get(name) == text and saves(reference, literal) else literal

    def tags_of(self, tags: Mapping[str, Text], task: StepTask) -> dict[str, str] | str:
        """The tags of a job, as a value of the state: those in common with what is its own."""
        literal = {key: task.fill(text) for key, text in tags.items()}
        if not self.tags:
            return literal
        common = task.shared_value(TAGS)
        own = [f"{quoted(key)}: {expression_of(text)}" for key, text in literal.items() if key not in self.tags]
        merged = str(Jsonata(f"$merge([{common.text}, {{{', '.join(own)}}}])") if own else common)
        return merged if saves(merged, literal) else literal


def common_to(jobs: Iterable[BatchJob]) -> Common:
    """What these jobs have in common."""
    jobs = list(jobs)
    return Common(in_all([texts_of(job) for job in jobs]), in_all([job.tags for job in jobs]))


def texts_of(job: BatchJob) -> dict[str, Text]:
    """The texts of a job that can be common, by the names that a reference can have."""
    variables = {name: text for name, text in job.environment.items() if is_name(name)}
    return {**variables, QUEUE: job.queue, DEFINITION: job.definition}


def is_name(name: str) -> bool:
    """Whether a variable's name can be that of a common text."""
    return name != TAGS and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is not None


def in_all(mappings: list[Mapping[str, Text]] | list[dict[str, Text]]) -> dict[str, Text]:
    """The entries that are the same in all of them, and for all tasks."""
    first, *others = mappings
    return {
        name: text
        for name, text in first.items()
        if (isinstance(text, str) or text.slots <= OF_ALL_TASKS) and all(other.get(name) == text for other in others)
    }


def saves(reference: str, literal: Any) -> bool:
    """Whether a reference is so much shorter than the value that it stands for."""
    return len(json.dumps(reference)) + WORTHWHILE <= len(json.dumps(literal, separators=(",", ":")))
