"""`raglive db`: the database."""

from __future__ import annotations

import typer

from raglive.app.installation import find_installation
from raglive.cli.running import load_settings, run
from raglive.store.migrate import migrate as apply_migrations
from raglive.store.origin import begin_epochs

__all__ = ["db"]

db = typer.Typer(no_args_is_help=True, help="The database: its address, its schema.")


@db.command()
def url() -> None:
    """Print the database's address with its password: psql "$(raglive db url)"."""
    settings = load_settings()

    async def show() -> None:
        typer.echo(find_installation(settings).dsn)

    run(show)


@db.command()
def migrate() -> None:
    """Migrate the database to the schema of this version."""
    settings = load_settings()

    async def apply() -> None:
        applied = await apply_migrations(find_installation(settings).dsn)
        for migration in applied:
            typer.echo(f"applied {migration.version:04d} {migration.name}")
        if not applied:
            typer.echo("nothing to do")

    run(apply)


@db.command()
def restored() -> None:
    """Say that a backup was restored, so that viewers start again and miss no event."""
    settings = load_settings()

    async def begin() -> None:
        async with (
            find_installation(settings).database("restored", max_size=1) as database,
            database.connection() as connection,
        ):
            logs = await begin_epochs(connection)
        typer.echo(f"{logs} logs have a new epoch")

    run(begin)
