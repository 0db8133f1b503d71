"""The TCP port of the embedded database: the one asked for, the last one, or a free one."""

from __future__ import annotations

import random
import socket

import structlog

from raglive.database.embedded.errors import EmbeddedPostgresError

__all__ = ["choose_port"]

# Below the range from which systems take ports for outgoing connections: a port that is free while
# the database restarts stays free.
_RANGE = range(15_433, 32_768)
_ATTEMPTS = 50
_log = structlog.get_logger()


def choose_port(requested: int | None, remembered: int | None) -> int:
    """Return a port of 127.0.0.1 that is free now.

    Raises EmbeddedPostgresError if the one requested is not.
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
