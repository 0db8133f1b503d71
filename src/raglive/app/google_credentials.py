"""Where the Google credentials are: in the settings, or kept by `raglive login google`."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from raglive.pipeline.watchers.google_drive.credentials import (
    Credentials,
    is_oauth_client,
    read_credentials,
)
from raglive.pipeline.watchers.google_drive.errors import CredentialsInvalid
from raglive.settings import Settings

__all__ = ["google_credentials", "google_is_set_up", "oauth_client", "token_file"]


def token_file(settings: Settings) -> Path:
    """Return where `raglive login google` keeps its token."""
    if settings.google_token_file is not None:
        return settings.google_token_file.expanduser()
    return Path(platformdirs.user_config_dir("raglive", appauthor=False)) / "google.json"


def google_credentials(settings: Settings) -> Credentials:
    """Return the credentials; raise `CredentialsInvalid`, which says how to get some."""
    given = _given(settings)
    if given is None:
        raise CredentialsInvalid(
            "There are no Google credentials. Set GOOGLE_DRIVE_CREDENTIALS_JSON or "
            "GOOGLE_SERVICE_ACCOUNT_FILE to a service account's key, or run "
            "`raglive login google`. See docs/how-to/google-drive.md."
        )
    return read_credentials(given, settings.google_impersonate_user)


def google_is_set_up(settings: Settings) -> bool:
    """Say whether there is a folder to watch, and something to watch it with."""
    return bool(settings.watch_folder_ids) and _given(settings) is not None


def oauth_client(settings: Settings) -> str | None:
    """Return the OAuth client that the settings name, as JSON or a path."""
    given = settings.google_credentials
    text = None if given is None else given.get_secret_value()
    return text if text is not None and is_oauth_client(text) else None


def _given(settings: Settings) -> str | None:
    if settings.google_credentials is not None and oauth_client(settings) is None:
        return settings.google_credentials.get_secret_value()
    if settings.google_service_account_file is not None:
        return str(settings.google_service_account_file)
    kept = token_file(settings)
    return str(kept) if kept.is_file() else None
