"""The files postgresql.conf, pg_hba.conf and custom.conf, and the choice of a port."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import structlog

from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError, explain_os_errors

__all__ = ["choose_port", "write_fixed_files", "write_settings"]

_SETTINGS = """\
# Written by raglive at every start. Put your own settings into custom.conf, in the same folder.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = {socket_folder}
unix_socket_permissions = 0700
cluster_name = 'raglive'

max_connections = 100
shared_buffers = 128MB
dynamic_shared_memory_type = {shared_memory}
work_mem = 16MB
maintenance_work_mem = 256MB
effective_cache_size = 1GB
random_page_cost = 1.1
io_method = sync
jit = off

fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
max_wal_size = 1GB
min_wal_size = 80MB

password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.english'

# Statements are not logged, because they may contain the text of documents.
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] '
log_min_error_statement = panic
log_checkpoints = off

include_if_exists = 'custom.conf'
"""

_ACCESS_RULES = """\
# Only with a password and from this machine. The superuser has no password, so it cannot log in.
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

_CUSTOM_SETTINGS = """\
# Your own settings; they override those of raglive, which never changes this file.
"""

_MIN_SHARED_MEMORY = 1 << 30  # bytes


def write_settings(cluster: Path, *, port: int, socket_folder: Path) -> None:
    """Replace the cluster's postgresql.conf."""
    text = _SETTINGS.format(
        port=port,
        socket_folder=_quoted(f'"{str(socket_folder).replace(chr(34), chr(34) * 2)}"'),
        shared_memory=_shared_memory(),
    )
    _replace(cluster / "postgresql.conf", text)


def write_fixed_files(cluster: Path) -> None:
    """Write the files that later starts do not change: pg_hba.conf, and an empty custom.conf."""
    _replace(cluster / "pg_hba.conf", _ACCESS_RULES)
    _replace(cluster / "custom.conf", _CUSTOM_SETTINGS, like=cluster / "pg_hba.conf")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


def _shared_memory() -> str:
    """Return the implementation to use: a /dev/shm as small as in containers fails index builds."""
    try:
        size = os.statvfs("/dev/shm")  # noqa: S108 - only its size is read
    except OSError:
        return "posix"
    return "posix" if size.f_frsize * size.f_blocks >= _MIN_SHARED_MEMORY else "sysv"


def _replace(path: Path, text: str, like: Path | None = None) -> None:
    """Replace `path` atomically by a file with its owner, or with that of `like`."""
    with explain_os_errors(path.parent):
        owner = (like or path).stat()
        new = path.with_suffix(".new")
        new.write_bytes(os.fsencode(text))
        new.chmod(0o600)
        os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(path)


# Below the range of ports for outgoing connections, so that the port stays free while the database
# restarts.
_RANGE = range(15_433, 32_768)
_ATTEMPTS = 50
_log = structlog.get_logger()


def choose_port(requested: int | None, remembered: int | None) -> int:
    """Return the requested port, else the remembered one, else another free one, of 127.0.0.1.

    Raises EmbeddedPostgresError if the requested port, or any port of the range, is in use.
    """
    if requested is not None:
        if not _is_free(requested):
            raise EmbeddedPostgresError(
                f"Port {requested} of 127.0.0.1 is in use by another program. Stop that program, "
                "or choose another port for the database."
            )
        return requested
    if remembered is not None:
        if _is_free(remembered):
            return remembered
        _log.warning("embedded_postgres.port_taken", port=remembered)
    return _free_port()


def _free_port() -> int:
    for port in random.sample(_RANGE, _ATTEMPTS):
        if _is_free(port):
            return port
    raise EmbeddedPostgresError(
        f"No free port was found between {_RANGE.start} and {_RANGE.stop - 1} of 127.0.0.1. "
        "Choose a port for the database."
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
