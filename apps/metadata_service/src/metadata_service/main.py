"""`metadata-service serve | migrate | status`. What a command needs is imported when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from metadata_service.errors import MetadataServiceError
from metadata_service.options import database_options, from_file, variable


class _Group(click.Group):
    """Says what went wrong in one message, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MetadataServiceError as error:
            raise click.ClickException(str(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with all of their first sentences."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(sys.maxsize)) for name, one in sorted(self.commands.items())]
            )


def _examples(*lines: str) -> str:
    """The end of a command's help: lines that may be typed as they are."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stepwell-metadata-service", message="%(version)s")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), envvar="METADATA_SERVICE_CONFIG", is_eager=True,
    callback=from_file, expose_value=False, help='A JSON file of options by their names, as in {"port": 8080}.',
)  # fmt: skip
def main() -> None:
    """The metadata service: what ran, when, by whom, with what results.

    Options come from the command line, else from the environment, else from the file named by --config.
    """


@main.command(
    epilog=_examples(
        "metadata-service serve --data-dir ./metadata",
        "metadata-service serve --host 0.0.0.0 --database-url postgresql://db/meta",
    )
)
@database_options
@click.option("--host", default="127.0.0.1", show_default=True, **variable("HOST"), help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, **variable("PORT"),
    help="Port to listen on; 0 takes a free one.",
)  # fmt: skip
@click.option(
    "--tokens-file", type=click.Path(dir_okay=False, path_type=Path), **variable("TOKENS_FILE"), metavar="FILE",
    help="Ask for tokens: lines of `read-only TOKEN` or `read-write TOKEN`. May be exchanged while the service runs.",
)  # fmt: skip
@click.option("--prefix", default="", **variable("PREFIX"), help="Path below which all routes are mounted.")
@click.option(
    "--init-if-empty", is_flag=True, **variable("INIT_IF_EMPTY"),
    help="Set up the database if it is empty (the embedded one always is).",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), default=2, show_default=True, **variable("WORKERS"), help="Processes."
)
@click.option(
    "--threads", type=click.IntRange(1), default=8, show_default=True, **variable("THREADS"),
    help="Threads of each process, and so requests at a time.",
)  # fmt: skip
@click.option(
    "--pool-size", type=click.IntRange(1), **variable("POOL_SIZE"),
    help="Database connections of each process; as many as threads unless told.",
)  # fmt: skip
@click.option(
    "--statement-timeout", type=click.FloatRange(1), default=60, show_default=True, metavar="SECONDS",
    **variable("STATEMENT_TIMEOUT"), help="How long the database may take over a statement.",
)  # fmt: skip
@click.option(
    "--run-inactive", type=click.IntRange(1), default=360, show_default=True, metavar="SECONDS",
    **variable("RUN_INACTIVE"), help="A run without an end has failed after so long without a heartbeat.",
)  # fmt: skip
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False), default="info",
    show_default=True, **variable("LOG_LEVEL"), help="Requests are logged, to stdout, at level info.",
)  # fmt: skip
def serve(
    database_url: str | None,
    data_dir: Path | None,
    host: str,
    port: int,
    tokens_file: Path | None,
    prefix: str,
    init_if_empty: bool,
    workers: int,
    threads: int,
    pool_size: int | None,
    statement_timeout: float,
    run_inactive: int,
    log_level: str,
) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C."""
    from metadata_service import logs, serving
    from metadata_service.databases import behind, opened, prepare
    from metadata_service.settings import Settings

    serving.stop_on_sigterm()
    logs.configure(log_level)
    bound = serving.bind(host, port)
    url = serving.url_of(bound)
    if serving.is_public(bound) and not tokens_file:
        _say(f"Warning: whoever reaches {url} may read and write: the service asks for no tokens (--tokens-file)")
    with opened(database_url, data_dir) as database:
        state = prepare(database, init_if_empty=init_if_empty, say=_say)
        if state.pending:
            _say(f"Warning: {behind(state)}")
        settings = Settings(
            database_url=database.url,
            prefix=prefix,
            tokens_file=tokens_file,
            pool_size=pool_size or threads,
            statement_timeout_s=statement_timeout,
            run_inactive_s=run_inactive,
        )
        ready = f"Serving on {url}{settings.prefix} from {database.name}"
        serving.serve(
            settings, bound, workers=workers, threads=threads, ready=lambda: _say(ready), every_second=database.revive
        )


@main.command(
    epilog=_examples(
        "metadata-service migrate --dry-run --database-url postgresql://db/meta",
        "metadata-service migrate --database-url postgresql://db/meta",
    )
)
@database_options
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be done and who would have to wait.")
def migrate(database_url: str | None, data_dir: Path | None, dry_run: bool) -> None:
    """Bring the database to the schema of this version, or set up an empty one.

    Services may run meanwhile. Every step is done whole or not at all, so after an interruption it goes on from there.
    """
    from metadata_service import census
    from metadata_service.databases import connected, opened
    from metadata_service.schema import latest_version
    from metadata_service.schema import migrate as apply_pending

    with opened(database_url, data_dir, create=not dry_run) as database, connected(database) as connection:
        if dry_run:
            click.echo(census.plan(database.name, connection))
            return
        applied = apply_pending(connection)
        for migration in applied:
            click.echo(f"Applied {migration.version} {migration.name}")
        click.echo(f"{database.name} is at schema version {latest_version()}{'' if applied else ', nothing to do'}")


@main.command(epilog=_examples("metadata-service status --database-url postgresql://db/meta"))
@database_options
def status(database_url: str | None, data_dir: Path | None) -> None:
    """Tell versions, counts and size of the database."""
    from metadata_service import census
    from metadata_service.databases import connected, opened

    with opened(database_url, data_dir, create=False) as database, connected(database) as connection:
        click.echo(census.to_text(database.name, census.take(connection)))


def _say(line: str) -> None:
    click.echo(line, err=True)
