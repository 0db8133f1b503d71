"""A password as Postgres stores it, so that the server is never told the password itself."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode

from raglive.database.embedded.errors import EmbeddedPostgresError

__all__ = ["check_password", "scram_verifier"]

_ITERATIONS = 4096


def check_password(password: str) -> None:
    """Raise EmbeddedPostgresError unless `password` is printable ASCII.

    Beyond ASCII, client libraries disagree about normalisation.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise EmbeddedPostgresError(
            "The password of the embedded database must be one or more printable ASCII characters."
        )


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return the SCRAM-SHA-256 verifier of RFC 5803 for `password`."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server_key = _keyed(salted, b"Server Key")
    return (
        f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"
    )


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
