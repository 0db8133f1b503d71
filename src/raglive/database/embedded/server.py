"""One server on one cluster, from start to stop; it can be started again."""

from __future__ import annotations

import signal

from raglive.database.embedded.account import Account
from raglive.database.embedded.configuration import write_settings
from raglive.database.embedded.connection import serves_clients
from raglive.database.embedded.errors import EmbeddedPostgresError, advice_for
from raglive.database.embedded.folder import DatabaseFolder, SocketFolder
from raglive.database.embedded.leftovers import end_leftovers
from raglive.database.embedded.process import ServerProcess
from raglive.database.embedded.server_log import ServerLog

__all__ = ["Server"]

_PATIENCE_WITH_A_FAILED_START = 2.0
_CONNECT_SECONDS = 10.0


class Server:
    """Owns the server's process, its socket's folder and its log."""

    def __init__(self, folder: DatabaseFolder, account: Account) -> None:
        self._folder = folder
        self._account = account
        self._sockets = SocketFolder(folder.path, account)
        self._process: ServerProcess | None = None
        self.log = ServerLog(folder.path)
        self.port = 0

    @property
    def socket_folder(self) -> str:
        """The folder of the Unix socket, as clients name it."""
        return str(self._sockets.path)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process and self._process.alive else None

    async def start(self, port: int) -> None:
        """Start, and wait until it accepts connections.

        Raises EmbeddedPostgresError with the end of its log if it does not.
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
            await self._process.stop(_PATIENCE_WITH_A_FAILED_START)
            raise

    async def serves_clients(self, password: str) -> bool:
        """Return whether clients with `password` find what they need."""
        return await serves_clients(self.socket_folder, self.port, password, _CONNECT_SECONDS)

    async def wait(self) -> int | None:
        """Wait until it has ended; return its exit status, None if it never started."""
        return await self._process.wait() if self._process else None

    async def stop(self, seconds: float) -> None:
        """End it within `seconds` with its data written, else at once; may be called again."""
        if self._process is not None:
            await self._process.stop(seconds)

    async def close(self, seconds: float) -> None:
        """Stop for good."""
        try:
            await self.stop(seconds)
        finally:
            if self._process is not None:
                self._process.kill()
            self._sockets.close()

    def failure(self, what: str) -> EmbeddedPostgresError:
        """Return an error that says what happened, what to do, and what the server said last."""
        said = self.log.since_start()
        advice = advice_for(said, self._folder.path, self.port)
        last = "\n".join(said.splitlines()[-8:])
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
        with self.log.open() as log:
            return await ServerProcess.spawn(command, cluster, log)
