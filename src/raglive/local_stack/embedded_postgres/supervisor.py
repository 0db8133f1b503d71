"""The embedded database for its owner: started, restarted after a crash, and stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import structlog

from raglive.local_stack.embedded_postgres.account import choose_account, hand_over
from raglive.local_stack.embedded_postgres.binaries import find_binaries
from raglive.local_stack.embedded_postgres.cluster import (
    DATABASE,
    ROLE,
    check_cluster,
    check_password,
    create_cluster,
    refresh_cluster,
)
from raglive.local_stack.embedded_postgres.configuration import choose_port
from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError, explain_os_errors
from raglive.local_stack.embedded_postgres.folder import DatabaseFolder, FolderLock
from raglive.local_stack.embedded_postgres.server import Server
from raglive.store.origin import identity_of_files

__all__ = ["EmbeddedPostgres"]

_START_ATTEMPTS = 3  # another program may take a port between its choice and its use
_STABLE_SECONDS = 3.0  # a server that was ready for less has failed at once
_BACK_OFF_SECONDS = (0.0, 0.2, 1.0, 3.0, 5.0)
_LOG_CHECK_SECONDS = 60.0
_log = structlog.get_logger()


class EmbeddedPostgres:
    """Owns one Postgres cluster below a data folder, and the server that runs on it.

    An async context manager: the server accepts connections inside the block, and is stopped with
    a checkpoint at its end. Several may run at once, each with its own data folder. On Linux, the
    server also ends with the thread that started it.

    Args:
        data_dir: holds the cluster in `postgres`; created if missing.
        port: on 127.0.0.1; by default that of the last run, else a free one.
        password: of the role `raglive`; a change takes effect at start.
        start_timeout_seconds: limit for `__aenter__` as a whole, and for each restart.
        stop_timeout_seconds: after this, the server is stopped without a checkpoint.
        on_restart: awaited each time `supervise` has restarted the server.

    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        password: str,
        start_timeout_seconds: float = 60,
        stop_timeout_seconds: float = 30,
        on_restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        check_password(password)
        self._folder = DatabaseFolder(data_dir.absolute() / "postgres")
        self._lock = FolderLock(self._folder.path)
        self._requested_port = port
        self._password = password
        self._start_timeout = start_timeout_seconds
        self._stop_timeout = stop_timeout_seconds
        self._on_restart = on_restart
        self._server: Server | None = None
        self._ready_since: float | None = None
        self._changing = asyncio.Lock()
        self._closed = asyncio.Event()

    @property
    def dsn(self) -> str:
        """The address for clients over TCP; it contains the password."""
        return (
            f"postgresql://{ROLE}:{quote(self._password, safe='')}@127.0.0.1:{self.port}/{DATABASE}"
        )

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; it does not change during the life of this object."""
        return self._started.port

    @property
    def files_identity(self) -> str:
        """What identifies the files of the cluster; those of a restored backup have another."""
        return identity_of_files(self._folder.cluster)

    @property
    def socket_dir(self) -> str:
        """The folder of the Unix socket, for clients that accept a folder as host."""
        return self._started.socket_folder

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self._started.pid

    async def __aenter__(self) -> Self:
        """Create the cluster if it is new, and start the server.

        Raises AlreadyRunningError if another process uses this folder, and EmbeddedPostgresError
        for everything else that prevents a start.
        """
        began = time.monotonic()
        self._folder.prepare()
        await self._lock.acquire()
        try:
            async with self._in_time():
                await self._open()
        except BaseException:
            await self.close()
            raise
        seconds = round(time.monotonic() - began, 3)
        _log.info("embedded_postgres.ready", port=self.port, pid=self.pid, seconds=seconds)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        await self.close()

    async def close(self) -> None:
        """Stop the server and release the folder; idempotent."""
        self._closed.set()
        try:
            async with self._changing:
                if self._server is not None:
                    await self._server.close(self._stop_timeout)
        finally:
            self._lock.release()

    async def supervise(self) -> None:
        """Restart the server on the same port whenever it ends, until `close`.

        Raises EmbeddedPostgresError with the end of its log if it repeatedly ends at once.
        """
        failures = 0
        while await self._has_ended():
            failures = 1 if self._was_stable() else failures + 1
            if failures > len(_BACK_OFF_SECONDS):
                raise self._started.failure(f"ended at once {failures} times in a row")
            delay = _BACK_OFF_SECONDS[failures - 1]
            _log.warning("embedded_postgres.ended", failures=failures, restart_in_seconds=delay)
            await self._unless_closed(self._restart(delay))

    @property
    def _started(self) -> Server:
        if self._server is None or self._server.port == 0:
            raise EmbeddedPostgresError("The embedded database has not been started yet.")
        return self._server

    async def _open(self) -> None:
        cluster = self._folder.cluster
        with explain_os_errors(self._folder.path):
            account = await choose_account(find_binaries(), cluster)
        if cluster.exists():
            check_cluster(cluster)
            with explain_os_errors(cluster):
                hand_over(cluster, account)
        else:
            await create_cluster(self._folder, account, self._password)
        self._server = Server(self._folder, account)
        await self._start_on_free_port(self._server)
        if not await self._server.serves_clients(self._password):
            await self._server.stop(self._stop_timeout)
            await refresh_cluster(self._folder, account, self._password)
            await self._server.start(self._server.port)
        self._ready_since = time.monotonic()

    async def _start_on_free_port(self, server: Server) -> None:
        for attempt in range(1, _START_ATTEMPTS + 1):
            port = choose_port(self._requested_port, self._folder.remembered_port())
            try:
                await server.start(port)
            except EmbeddedPostgresError:
                if attempt == _START_ATTEMPTS or "could not bind" not in server.log.since_start():
                    raise
            else:
                self._folder.remember_port(port)
                return

    async def _restart(self, delay: float) -> None:
        await asyncio.sleep(delay)
        async with self._changing:
            server = self._started
            self._ready_since = None
            try:
                async with self._in_time():
                    await server.start(server.port)
            except EmbeddedPostgresError as error:
                _log.warning("embedded_postgres.restart_failed", error=error.message)
                return
            self._ready_since = time.monotonic()
        _log.info("embedded_postgres.restarted", port=server.port, pid=server.pid)
        if self._on_restart is not None:
            await self._on_restart()

    async def _has_ended(self) -> bool:
        """Wait until the server has ended; return False if it was closed on purpose."""
        while not self._closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_CHECK_SECONDS):
                    await self._started.wait()
                return not self._closed.is_set()
            with suppress(OSError):  # it is tried again
                self._started.log.trim()
        return False

    def _was_stable(self) -> bool:
        ready = self._ready_since
        return ready is not None and time.monotonic() - ready >= _STABLE_SECONDS

    async def _unless_closed(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work`, and cancel it on `close`."""
        tasks = (asyncio.create_task(work), asyncio.create_task(self._closed.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._start_timeout):
                yield
        except TimeoutError as error:
            what = f"was not ready within {self._start_timeout:g} seconds"
            if self._server is None:
                message = f"The embedded database in {self._folder.path} {what}."
                raise EmbeddedPostgresError(message) from error
            raise self._server.failure(f"{what}; it may be recovering from a crash") from error
