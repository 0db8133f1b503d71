"""The outbox's file: one SQLite database that threads and processes share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from raglive_reporter.errors import OutboxUnusable

__all__ = ["IN_MEMORY", "OutboxFile"]

IN_MEMORY = ":memory:"
SCHEMA_VERSION = 1
BUSY_SECONDS = 10.0
MAX_WAL_BYTES = 4 * 2**20

# Connections of the parent process in a forked child: closing them would damage the parent's files.
_inherited: list[sqlite3.Connection] = []


class OutboxFile:
    """One connection to the database at `path`, used by one thread at a time.

    Raises `OutboxUnusable` when the file is not an outbox or cannot be read or written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, and create it if it is missing; only its owner can read it."""
        with self.lock, self._explained():
            if self._connection is None:
                self._connection = self._connect()

    def close(self) -> None:
        """Close the file; idempotent."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def abandon(self) -> None:
        """Drop the parent's connection in a forked child, without closing it."""
        self.lock = threading.Lock()
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a write transaction that is on disk when the block ends."""
        with self.lock, self._explained():
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for reading."""
        with self.lock, self._explained():
            yield self._opened()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise OutboxUnusable("The outbox is closed.")
        return self._connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutboxUnusable(
                f"The outbox {self.path} cannot be used: {error}. It must be a file for the "
                "reporter alone, on a local disk with free space."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        if self.path != IN_MEMORY:
            path = Path(self.path)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
            self._create_schema(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_schema(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version > SCHEMA_VERSION:
            raise OutboxUnusable(
                f"The outbox {self.path} was made by a newer raglive-reporter. Upgrade this one."
            )
        if version == 0 and tables:
            raise OutboxUnusable(
                f"{self.path} is a database, but not an outbox. Name a file for the reporter alone."
            )
        if version == 0:
            for statement in _statements():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")


def _statements() -> Iterator[str]:
    text = files("raglive_reporter").joinpath("outbox.sql").read_text("utf-8")
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
