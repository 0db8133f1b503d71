"""The one-time secret with which a browser on this machine signs in."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from raglive.http_api.allowed_hosts import is_loopback
from raglive.local_stack.data_folder import DataFolder, write_private
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["SignInSecret"]

SECRET_BYTES = 32


class SignInSecret:
    """A secret in a file that only its owner can read; each use replaces it."""

    def __init__(self, data_folder: DataFolder) -> None:
        self._folder = data_folder.path

    @property
    def file(self) -> Path:
        """The file that holds the secret."""
        return self._folder / "sign-in.secret"

    def replace(self) -> None:
        """Write a new secret; the old one is no longer accepted."""
        draft = self.file.with_suffix(".new")
        write_private(draft, secrets.token_urlsafe(SECRET_BYTES))
        draft.replace(self.file)

    def address(self, dashboard_url: str) -> str:
        """Return the address that signs a browser in, or `dashboard_url` when it cannot.

        Signing in by the secret works only at a loopback address. The secret is in the fragment,
        which browsers send to nobody.
        """
        secret = self._read() if is_loopback(urlsplit(dashboard_url).hostname) else None
        return dashboard_url if secret is None else f"{dashboard_url}/#sign-in={secret}"

    def use(self, presented: str) -> bool:
        """Replace the secret if `presented` is equal; of concurrent uses, one returns True.

        Raises `unavailable` when the file cannot be replaced.
        """
        try:
            with self._locked():
                secret = self._read()
                if secret is None or not secrets.compare_digest(
                    secret.encode(), presented.encode()
                ):
                    return False
                self.replace()
        except OSError as error:
            raise RagliveError(
                f"The secret in {self._folder} cannot be replaced: {error.strerror}.",
                code=ErrorCode.UNAVAILABLE,
            ) from error
        return True

    def _read(self) -> str | None:
        try:
            return self.file.read_text("ascii") or None
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other processes and threads while the file is compared and replaced."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
