"""Every rule that `check` knows: its code, its name, how serious a breach is, and what it means.

Codes and names are stable: a rule may be added, its words may change, but a code is never given to another rule.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Rule(NamedTuple):
    """One rule.

    - `code`: stands in reports, `FG022`. The tens are groups: 0 steps by themselves, 1 start and end, 2 and 3
      transitions, 4 gangs, 5 and 6 nesting, 7 artifacts.
    - `slug`: the same in words, `unknown-step`.
    - `severity`: what a breach is at worst. An *error* certainly fails, a *warning* probably does or is a slip. Rules
      about artifacts report an error as a warning where the source leaves a doubt.
    - `meaning`: what the rule reports, in one sentence.
    """

    code: str
    slug: str
    severity: Severity
    meaning: str

    @property
    def structural(self) -> bool:
        """Whether the rule is about the graph as such, not about what the steps do with artifacts."""
        return self.code < "FG070"


def table(*rules: Rule) -> dict[str, Rule]:
    """Rules by name."""
    return {rule.slug: rule for rule in rules}


RULES = table(
    Rule(
        "FG001", "reserved-name", "error", "A step has a name that a flow uses itself: name, next, input, index, cmd."
    ),
    Rule("FG002", "invalid-name", "error", "A step's name is not made of lowercase letters, digits and underscores."),
    Rule(
        "FG003", "duplicate-step", "error", "A step is defined twice; in a class a warning, as the later one is used."
    ),
    Rule("FG004", "missing-self", "error", "A step's method takes no argument."),
    Rule("FG005", "too-many-arguments", "error", "A step's method takes more than self and inputs."),
    Rule("FG006", "async-step", "error", "A step is an async function."),
    Rule("FG007", "not-a-method", "error", "A step is not written as a method of the class: a lambda, for example."),
    Rule("FG008", "unreadable-base", "warning", "The source of a base class cannot be read, so its steps are unknown."),
    Rule("FG010", "no-start", "error", "The flow has no start."),
    Rule("FG011", "several-starts", "error", "More than one step is marked as the start."),
    Rule("FG012", "ambiguous-start", "error", "One step is marked as the start, another is called start."),
    Rule("FG013", "start-has-incoming", "error", "A transition leads to the start."),
    Rule("FG014", "no-end", "error", "The flow has no end."),
    Rule("FG015", "several-ends", "error", "More than one step is marked as the end."),
    Rule("FG016", "ambiguous-end", "error", "One step is marked as the end, another is called end."),
    Rule("FG017", "end-has-transition", "error", "The end has a transition."),
    Rule("FG018", "end-takes-inputs", "error", "The end takes inputs like a join."),
    Rule("FG020", "missing-transition", "error", "A step that is not the end does not end with a transition."),
    Rule("FG021", "invalid-transition", "error", "A transition matches none of the forms that there are."),
    Rule("FG022", "unknown-step", "error", "A transition leads to what is no step of the flow."),
    Rule("FG023", "duplicate-target", "error", "A split leads to the same step twice."),
    Rule("FG024", "wide-split", "warning", "A split has so many targets that a foreach would serve better."),
    Rule("FG025", "switch-without-condition", "error", "A switch names no condition."),
    Rule("FG026", "switch-without-cases", "error", "A switch has no cases."),
    Rule("FG027", "switch-one-target", "error", "A switch has one target only."),
    Rule("FG028", "switch-duplicate-key", "error", "A switch has the same key twice."),
    Rule("FG030", "cycle", "error", "A way leads back to where it came from, other than a switch choosing itself."),
    Rule("FG031", "unreachable", "error", "A step cannot be reached from the start."),
    Rule("FG040", "unmarked-gang", "error", "num_parallel leads to a step that is not marked @parallel."),
    Rule("FG041", "gang-without-join", "error", "A @parallel step does not lead straight to a join."),
    Rule("FG042", "gang-without-number", "error", "A @parallel step is reached without num_parallel."),
    Rule("FG043", "gang", "error", "num_parallel is used; reported only to whom asks for it."),
    Rule("FG050", "join-splits", "error", "A join makes a split, a foreach or a switch itself."),
    Rule("FG051", "empty-split", "error", "A split leads straight into a join."),
    Rule("FG052", "empty-foreach", "error", "A foreach leads straight into a join."),
    Rule("FG053", "ambiguous-join", "error", "A case of a switch leads straight into a join."),
    Rule("FG054", "split-not-joined", "error", "The end is reached before the arms of a split were joined."),
    Rule("FG055", "missing-arms", "error", "A join joins some arms of a split only."),
    Rule("FG056", "join-without-split", "error", "A join has no split to join."),
    Rule("FG057", "mixed-join", "error", "A join joins arms of different splits."),
    Rule("FG058", "merged-arms", "error", "Arms of a split meet in a step that is no join."),
    Rule("FG059", "several-joins", "error", "The arms of a split lead to different joins."),
    Rule("FG060", "nested-foreach", "error", "A foreach is inside another; reported only to whom asks for it."),
    Rule("FG070", "unassigned-foreach", "error", "A foreach goes over an artifact that no step before it assigns."),
    Rule(
        "FG071", "unassigned-condition", "error", "A switch's condition is an artifact that no step before it assigns."
    ),
    Rule("FG072", "unassigned-artifact", "error", "A step reads an artifact that is assigned on no way to it."),
    Rule("FG073", "constant-assigned", "error", "A step assigns a parameter or another class-level value."),
    Rule("FG074", "unused-inputs", "warning", "A join does not use its inputs."),
    Rule("FG075", "lost-in-join", "error", "A step reads an artifact that a join before it has not carried over."),
    Rule("FG076", "ambiguous-merge", "error", "The same, and several arms have assigned it: the join has to choose."),
    Rule("FG077", "conflicting-merge", "warning", "merge_artifacts meets an artifact that several arms have assigned."),
)
"""The rules by name, in the order of their codes."""
