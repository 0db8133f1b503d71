"""The Google Drive pipeline: its credentials, and what it watches with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from raglive.app.google_credentials import google_credentials
from raglive.app.pipeline import Place, open_service, run_service
from raglive.app.wiring import Wiring
from raglive.contract.errors import RagliveError
from raglive.database.pipelines import PipelineRecord
from raglive.pipeline.watchers.google_drive.client import DriveClient, open_drive
from raglive.pipeline.watchers.google_drive.push import Channels
from raglive.pipeline.watchers.google_drive.watcher import GoogleDriveWatcher
from raglive.settings import Settings

__all__ = ["push_route", "run_google_drive"]

PUSH_PATH = "/google-drive/push"


async def run_google_drive(wiring: Wiring, stop: Awaitable[None]) -> None:
    """Watch folders of Google Drive, until `stop` or, in single mode, until all is done.

    Raises `settings_invalid` without a folder, `auth_required` without usable credentials.
    """
    settings = wiring.settings
    if not settings.watch_folder_ids:
        raise RagliveError(
            "No Google Drive folder to watch. Set RAG_WATCH_FOLDER_ID.", code="settings_invalid"
        )
    place = Place("google-drive-pipeline", "google_drive", settings.google_drive_port)
    async with open_drive(google_credentials(settings), settings.google_api_url) as client:
        watchers: list[GoogleDriveWatcher] = []

        def watch(record: PipelineRecord, on_queued: Callable[[], None]) -> GoogleDriveWatcher:
            watchers.append(_watcher(settings, client, record, on_queued))
            return watchers[0]

        async with open_service(wiring, place, watch) as service:
            if settings.google_push_url is None or settings.run_mode == "single":
                await run_service(settings, service, place, stop)
                return
            watcher = watchers[0]
            address = f"{settings.google_push_url.rstrip('/')}{PUSH_PATH}"
            channels = Channels(client, address, lambda: watcher.logs, watcher.wake)
            route = push_route(channels)
            await run_service(settings, service, place, stop, channels.run(), routes=[route])


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


def push_route(channels: Channels) -> Route:
    """Return where Google's messages arrive."""

    async def push(request: Request) -> Response:
        return Response(status_code=204 if channels.take(request.headers) else 404)

    return Route(PUSH_PATH, push, methods=["POST"])
