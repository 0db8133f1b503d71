"""One server on one cluster, from start to stop; it can be restarted."""

from __future__ import annotations

import signal

import asyncpg

from raglive.local_stack.embedded_postgres.account import Account
from raglive.local_stack.embedded_postgres.cluster import DATABASE, ROLE
from raglive.local_stack.embedded_postgres.configuration import write_settings
from raglive.local_stack.embedded_postgres.errors import (
    EmbeddedPostgresError,
    advice_for,
    explain_os_errors,
)
from raglive.local_stack.embedded_postgres.folder import DatabaseFolder, SocketFolder
from raglive.local_stack.embedded_postgres.process import ServerProcess, end_leftovers
from raglive.local_stack.log_file import LogFile

__all__ = ["Server", "serves_clients"]

_FAILED_START_SECONDS = 2.0
_CONNECT_SECONDS = 10.0
MAX_LOG_BYTES = 4_000_000


class Server:
    """Owns the process of the server, the folder of its socket, and its log."""

    def __init__(self, folder: DatabaseFolder, account: Account) -> None:
        self._folder = folder
        self._account = account
        self._sockets = SocketFolder(folder.path, account)
        self._process: ServerProcess | None = None
        self.log = LogFile(folder.path / "server.log", MAX_LOG_BYTES)
        self.port = 0

    @property
    def socket_folder(self) -> str:
        """The folder of the Unix socket, as a host for clients."""
        return str(self._sockets.path)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process and self._process.alive else None

    async def start(self, port: int) -> None:
        """Start the server, and wait until it accepts connections.

        Raises EmbeddedPostgresError with the end of its log if it ends instead.
        """
        await end_leftovers(self._folder.cluster)
        self._sockets.clear()
        write_settings(self._folder.cluster, port=port, socket_folder=self._sockets.path)
        self.port = port
        self._process = await self._spawn()
        try:
            if not await self._process.wait_ready():
                raise self.failure("did not start")
        except BaseException:
            await self._process.stop(_FAILED_START_SECONDS)
            raise

    async def serves_clients(self, password: str) -> bool:
        """Return whether clients can log in with `password` and find the current extension."""
        return await serves_clients(self.socket_folder, self.port, password, _CONNECT_SECONDS)

    async def wait(self) -> int | None:
        """Wait until the server has ended; return its exit status, None if it never started."""
        return await self._process.wait() if self._process else None

    async def stop(self, seconds: float) -> None:
        """Stop the server with a checkpoint, after `seconds` without one; idempotent."""
        if self._process is not None:
            await self._process.stop(seconds)

    async def close(self, seconds: float) -> None:
        """Stop the server and remove its socket; it cannot be started again."""
        try:
            await self.stop(seconds)
        finally:
            if self._process is not None:
                self._process.kill()
            self._sockets.close()

    def failure(self, what: str) -> EmbeddedPostgresError:
        """Return an error with what happened, what to do, and the end of the server's log."""
        output = self.log.since_start()
        advice = advice_for(output, self._folder.path, self.port)
        last = "\n".join(output.splitlines()[-8:])
        return EmbeddedPostgresError(
            f"The embedded database in {self._folder.path} {what}. {advice}\n{last}".rstrip()
        )

    async def _spawn(self) -> ServerProcess:
        cluster = self._folder.cluster
        command = self._account.command(
            "postgres",
            "-D",
            self._account.cluster_argument(cluster),
            death_signal=signal.SIGINT,
        )
        with explain_os_errors(cluster), self.log.open() as log:
            return await ServerProcess.spawn(command, cluster, log)


_EXTENSION_IS_CURRENT = """
SELECT installed_version = default_version FROM pg_available_extensions WHERE name = 'vector'
"""


async def serves_clients(host: str, port: int, password: str, seconds: float) -> bool:
    """Return whether the role can log in and finds the extension in its current version.

    Raises EmbeddedPostgresError if the database cannot be used for another reason.
    """
    try:
        connection = await asyncpg.connect(
            host=host, port=port, user=ROLE, database=DATABASE, password=password, timeout=seconds
        )
    except asyncpg.InvalidPasswordError:
        return False
    except (OSError, asyncpg.PostgresError) as error:
        raise EmbeddedPostgresError(
            f"The embedded database has started but refuses connections: {error}"
        ) from error
    try:
        return bool(await connection.fetchval(_EXTENSION_IS_CURRENT, timeout=seconds))
    finally:
        await connection.close(timeout=seconds)
