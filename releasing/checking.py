"""Whether a package may be released as it stands."""

from __future__ import annotations

from pathlib import Path

import attrs
from packaging.version import Version

from releasing.changes import Change, Size, compare, has_changed, last_release, least_version
from releasing.package import Package, changelog_section


@attrs.frozen
class State:
    """Where a package stands: its last release, what changed since, and the least version for that."""

    package: Package
    released: Version | None
    change: Change | None

    @property
    def changed(self) -> bool:
        """Whether there is anything to release."""
        return self.released is None or self.change is not None

    @property
    def least(self) -> Version:
        """The least version of the next release."""
        if self.released is None:
            return self.package.version
        return least_version(self.released, self.change.size if self.change else Size.FIX)


def state_of(root: Path, package: Package) -> State:
    """Compare a package with its last release."""
    released = last_release(root, package)
    if released is None or not has_changed(root, package, released):
        return State(package, released, None)
    return State(package, released, compare(root, package, released))


def problems_at_release(state: State) -> list[str]:
    """What is still to do before a changed package is released, in words: `bump` does it."""
    package, problems = state.package, []
    heading, _ = changelog_section(package)
    if package.version < state.least:
        reasons = "; ".join(state.change.reasons if state.change else ()) or "it changed"
        problems.append(f"version {package.version} must be at least {state.least}: {reasons}")
    if heading.split(" ")[0] != str(package.version):
        problems.append(f"the changelog begins with '{heading}' instead of {package.version}")
    return problems


def standing_problems(package: Package, siblings: list[Package]) -> list[str]:
    """What is wrong at any time, in words: a changelog that says nothing, ranges that do not fit the workspace."""
    versions = {sibling.distribution: sibling.version for sibling in siblings}
    problems = [] if changelog_section(package)[1] else ["the changelog's first section says nothing"]
    for requirement in package.requirements:
        if requirement.name not in versions:
            continue
        if versions[requirement.name] not in requirement.specifier:
            problems.append(f"'{requirement}' shuts out version {versions[requirement.name]} of this workspace")
        if {specifier.operator for specifier in requirement.specifier} != {">=", "<"}:
            problems.append(f"'{requirement}' is no range of compatible versions, such as >=0.1,<0.2")
    return problems
