"""The embedded Postgres: a server that needs no installation, container or account.

For Linux and macOS. On Windows, run raglive inside WSL or set DATABASE_URL.
"""

from __future__ import annotations

from raglive.local_stack.embedded_postgres.errors import AlreadyRunningError, EmbeddedPostgresError
from raglive.local_stack.embedded_postgres.supervisor import EmbeddedPostgres

__all__ = ["AlreadyRunningError", "EmbeddedPostgres", "EmbeddedPostgresError"]
