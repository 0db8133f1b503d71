"""Composes the local-files and Google Drive pipelines from the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import platformdirs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from raglive.app.installation import Installation
from raglive.app.pipeline import PipelineDefaults, open_service, run_service
from raglive.local_stack.data_folder import is_data_folder
from raglive.settings import Settings
from raglive.sources.google_drive.client import DriveClient, open_drive
from raglive.sources.google_drive.credentials import (
    Credentials,
    is_oauth_client,
    read_credentials,
)
from raglive.sources.google_drive.errors import CredentialsInvalid
from raglive.sources.google_drive.push_channels import PushChannels
from raglive.sources.google_drive.transport import RetryPolicy
from raglive.sources.google_drive.watcher import GoogleDriveWatcher
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.watcher import LocalFilesWatcher
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "google_credentials",
    "google_is_set_up",
    "oauth_client",
    "open_google_drive",
    "push_route",
    "run_google_drive",
    "run_local_files",
    "token_file",
]

LOCAL_FILES_PIPELINE = "local-files-pipeline"
GOOGLE_DRIVE_PIPELINE = "google-drive-pipeline"


async def run_local_files(installation: Installation, folder: Path, stop: Awaitable[None]) -> None:
    """Index the files of a folder until `stop`; in single mode, until no file is due."""
    settings = installation.settings
    defaults = PipelineDefaults(LOCAL_FILES_PIPELINE, "local_files", settings.local_files_port)
    scope = WatchScope(
        folder,
        settings.ignore_patterns,
        follow_links=settings.follow_links,
        is_private=is_data_folder,
    )

    def watch(record: PipelineRecord, on_queued: Callable[[], None]) -> LocalFilesWatcher:
        return LocalFilesWatcher(
            record, scope, check_interval_seconds=settings.check_interval, on_queued=on_queued
        )

    async with open_service(installation, defaults, watch) as service:
        await run_service(settings, service, defaults.port, stop)


def open_google_drive(
    settings: Settings, retry: RetryPolicy | None = None
) -> AbstractAsyncContextManager[DriveClient]:
    """Open the Drive API with the configured credentials. Raises `CredentialsInvalid`."""
    return open_drive(
        google_credentials(settings),
        settings.google_api_url,
        retry,
        units_per_minute=settings.google_quota_per_minute,
    )


PUSH_PATH = "/google-drive/push"


async def run_google_drive(installation: Installation, stop: Awaitable[None]) -> None:
    """Index folders of Google Drive until `stop`; in single mode, until no file is due.

    Raises `settings_invalid` without a folder, `auth_required` without usable credentials.
    """
    settings = installation.settings
    if not settings.watch_folder_ids:
        raise RagliveError(
            "No Google Drive folder to watch. Set RAG_WATCH_FOLDER_ID.",
            code=ErrorCode.SETTINGS_INVALID,
        )
    defaults = PipelineDefaults(GOOGLE_DRIVE_PIPELINE, "google_drive", settings.google_drive_port)
    async with open_google_drive(settings) as client:
        watchers: list[GoogleDriveWatcher] = []

        def watch(record: PipelineRecord, on_queued: Callable[[], None]) -> GoogleDriveWatcher:
            watchers.append(_watcher(settings, client, record, on_queued))
            return watchers[0]

        async with open_service(installation, defaults, watch) as service:
            if settings.google_push_url is None or settings.run_mode == "single":
                await run_service(settings, service, defaults.port, stop)
                return
            watcher = watchers[0]
            address = f"{settings.google_push_url.rstrip('/')}{PUSH_PATH}"
            channels = PushChannels(client, address, lambda: watcher.logs, watcher.wake)
            route = push_route(channels)
            await run_service(
                settings, service, defaults.port, stop, channels.run(), routes=[route]
            )


def _watcher(
    settings: Settings,
    client: DriveClient,
    record: PipelineRecord,
    on_queued: Callable[[], None],
) -> GoogleDriveWatcher:
    return GoogleDriveWatcher(
        record,
        client,
        settings.watch_folder_ids,
        check_interval_seconds=settings.check_interval,
        full_listing_seconds=settings.google_full_listing_seconds,
        max_file_bytes=settings.max_file_bytes,
        on_queued=on_queued,
    )


def push_route(channels: PushChannels) -> Route:
    """Return the route that receives Google's push messages."""

    async def push(request: Request) -> Response:
        return Response(status_code=204 if channels.handle(request.headers) else 404)

    return Route(PUSH_PATH, push, methods=["POST"])


def token_file(settings: Settings) -> Path:
    """Return the file in which `raglive login google` stores its token."""
    if settings.google_token_file is not None:
        return settings.google_token_file.expanduser()
    return Path(platformdirs.user_config_dir("raglive", appauthor=False)) / "google.json"


def google_credentials(settings: Settings) -> Credentials:
    """Return the credentials of the Google Drive pipeline.

    Raises `CredentialsInvalid`, whose message explains how to obtain them.
    """
    given = _given(settings)
    if given is None:
        raise CredentialsInvalid(
            "There are no Google credentials. Set GOOGLE_DRIVE_CREDENTIALS_JSON or "
            "GOOGLE_SERVICE_ACCOUNT_FILE to a service account's key, or run "
            "`raglive login google`. See docs/how-to/google-drive.md."
        )
    return read_credentials(given, settings.google_impersonate_user)


def google_is_set_up(settings: Settings) -> bool:
    """Check that a folder to watch and credentials are configured."""
    return bool(settings.watch_folder_ids) and _given(settings) is not None


def oauth_client(settings: Settings) -> str | None:
    """Return the configured OAuth client (JSON or a path), None if there is none."""
    given = settings.google_credentials
    text = None if given is None else given.get_secret_value()
    return text if text is not None and is_oauth_client(text) else None


def _given(settings: Settings) -> str | None:
    if settings.google_credentials is not None and oauth_client(settings) is None:
        return settings.google_credentials.get_secret_value()
    if settings.google_service_account_file is not None:
        return str(settings.google_service_account_file)
    token = token_file(settings)
    return str(token) if token.is_file() else None
