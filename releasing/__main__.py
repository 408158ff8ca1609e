"""`python -m releasing check | bump`: from the root of a clone, with its tags.

`check` builds every package that changed since its last release, looks into what was built, and says what stands against
releasing it; `--develop` leaves aside what is only done at a release (version and changelog section). `bump` writes the least
version that the changes ask for, with its changelog section. After a commit, the tags that `check` prints make the release.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import click

from releasing.building import build, problems_of_built
from releasing.checking import State, problems_at_release, standing_problems, state_of
from releasing.package import read_packages, write_version


@click.group(help=__doc__)
def main() -> None:
    """Only groups the commands."""


def _changed(names: tuple[str, ...]) -> list[State]:
    packages = read_packages(Path.cwd())
    unknown = set(names) - {package.module for package in packages}
    if unknown:
        raise click.UsageError(f"No such package: {', '.join(sorted(unknown))}")
    chosen = [package for package in packages if not names or package.module in names]
    return [state for package in chosen if (state := state_of(Path.cwd(), package)).changed]


@main.command()
@click.argument("packages", nargs=-1)
@click.option("--develop", is_flag=True, help="Check only what has to hold at any time, not what is done at a release.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=Path("dist"), show_default=True, help="Where to build."
)
def check(packages: tuple[str, ...], develop: bool, folder: Path) -> None:
    """Build and check what changed."""
    siblings = read_packages(Path.cwd())
    states = _changed(packages)
    failed = False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda state: problems_of_built(state.package, build(state.package, folder)), states))
    for state, built in zip(states, found, strict=True):
        package = state.package
        problems = [*built, *standing_problems(package, siblings)]
        problems += [] if develop else problems_at_release(state)
        click.echo(f"{package.distribution} {package.version} (last release: {state.released or 'none'})")
        for problem in problems:
            click.echo(f"  {problem}")
        if not problems:
            click.echo(f"  ready: git tag {package.tag(package.version)}")
        failed = failed or bool(problems)
    raise SystemExit(1 if failed else 0)


@main.command()
@click.argument("packages", nargs=-1)
def bump(packages: tuple[str, ...]) -> None:
    """Write the versions that the changes ask for."""
    for state in _changed(packages):
        version = max(state.least, state.package.version)
        write_version(state.package, version, f"{date.today():%Y-%m-%d}")
        click.echo(f"{state.package.distribution} {state.released or 'none'} -> {version}")


if __name__ == "__main__":
    main()
