"""An installation: its settings, the address of its database, and the secret of its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from raglive.local_stack.data_folder import (
    DataFolder,
    DataFolderError,
    RunningStack,
    data_folder_of,
    running_stacks,
)
from raglive.settings import Settings
from raglive.store.errors import explain_errors
from raglive.store.migrate import check_schema
from raglive.store.pool import Database
from raglive.store.retention import Retention
from raglive_contract.errors import ErrorCode

__all__ = ["Installation", "find_installation", "only_running", "retention_of", "revealed"]


@dataclass(frozen=True, slots=True)
class Installation:
    """What a process needs before it can do anything.

    `data_folder` is that of a running `raglive up`; None elsewhere.
    """

    settings: Settings
    dsn: str
    jwt_secret: str
    data_folder: DataFolder | None = None

    @asynccontextmanager
    async def database(self, name: str, max_size: int = 8) -> AsyncIterator[Database]:
        """Open a pool under an application name; close it after the block.

        Raises a `RagliveError` that says what to do when the database or its schema is unusable.
        """
        with explain_errors(self.dsn):
            await check_schema(self.dsn)
            database = await Database.connect(self.dsn, name=name, max_size=max_size)
            try:
                yield database
            finally:
                await database.close()


def find_installation(settings: Settings) -> Installation:
    """Find the database that `DATABASE_URL` names, or that of a running `raglive up`.

    Raises `not_running`, and `several_running` with the way to choose one.
    """
    running = running_stacks(settings.data_dir)
    if settings.database_url is not None:
        up_folder = running[0][0] if running else None
        folder = up_folder or data_folder_of(settings.data_dir, Path("shared"))
        dsn = settings.database_url.get_secret_value()
        return Installation(settings, dsn, _jwt_secret(settings, folder), up_folder)
    folder, stack = only_running(
        settings, "or set DATABASE_URL to the database of one that runs elsewhere"
    )
    return Installation(settings, stack.dsn, _jwt_secret(settings, folder), folder)


def only_running(settings: Settings, otherwise: str) -> tuple[DataFolder, RunningStack]:
    """Return the only running `raglive up` of this user; `otherwise` completes the advice.

    Raises `not_running`, and `several_running` with the way to choose one.
    """
    running = running_stacks(settings.data_dir)
    if not running:
        raise DataFolderError(
            f"raglive is not running here. Start it with `raglive up FOLDER`, {otherwise}."
        )
    if len(running) > 1:
        choices = "; ".join(f"RAGLIVE_DATA_DIR={one.path} for {it.folder}" for one, it in running)
        raise DataFolderError(
            f"Several run here. Choose one: {choices}.", code=ErrorCode.SEVERAL_RUNNING
        )
    return running[0]


def retention_of(settings: Settings) -> Retention:
    """Return how long events and audit entries are retained."""
    return Retention(events_days=settings.keep_events_days, audit_days=settings.keep_audit_days)


def revealed(secret: SecretStr | None) -> str | None:
    """Return a secret as text. Call it only where the secret is used."""
    return None if secret is None else secret.get_secret_value()


def _jwt_secret(settings: Settings, folder: DataFolder) -> str:
    return revealed(settings.jwt_secret) or folder.secret("jwt")
