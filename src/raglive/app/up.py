"""The configuration of `raglive up`, from the settings and the watched folder."""

from __future__ import annotations

from pathlib import Path

from raglive.app.installation import revealed
from raglive.app.sources import GOOGLE_DRIVE_PIPELINE, LOCAL_FILES_PIPELINE, google_is_set_up
from raglive.local_stack.stack import StackConfig
from raglive.settings import Settings

__all__ = ["pipelines_of", "stack_config"]


def stack_config(settings: Settings, watched: Path) -> StackConfig:
    """Choose what to start; Google Drive only when folders and credentials are set."""
    return StackConfig(
        watched=watched,
        host=settings.host,
        reachable_host=settings.reachable_host,
        status_port=settings.status_port,
        dashboard_port=settings.dashboard_port,
        local_files_port=settings.local_files_port,
        google_drive_port=settings.google_drive_port,
        database_url=revealed(settings.database_url),
        with_google_drive=google_is_set_up(settings),
    )


def pipelines_of(settings: Settings) -> tuple[str, ...]:
    """Return the ids of the pipelines that `raglive up` runs."""
    return settings.pipeline_id or LOCAL_FILES_PIPELINE, GOOGLE_DRIVE_PIPELINE
