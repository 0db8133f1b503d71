"""`raglive verify --source`: compares the index with the sources themselves."""

from __future__ import annotations

from pathlib import Path

from raglive.app.installation import Installation
from raglive.app.queries import require_known
from raglive.app.sources import open_google_drive
from raglive.local_stack.data_folder import is_data_folder
from raglive.settings import Settings
from raglive.sources.comparison import SourceDifferences
from raglive.sources.google_drive.comparison import compare_with_drive
from raglive.sources.local_files.comparison import compare_with_folder
from raglive.sources.local_files.scope import WatchScope
from raglive.store.index.verify import Disagreement
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.registry.watched_sources import WatchedSource, list_watched_sources

__all__ = ["verify_sources"]

_DRIVE_ADVICE = (
    "If it lasts, the next full listing corrects it (RAGLIVE_GOOGLE_FULL_LISTING_SECONDS)."
)
_FOLDER_ADVICE = (
    "If it lasts, set RAGLIVE_IGNORE_PATTERNS and RAGLIVE_FOLLOW_LINKS as for the pipeline, and "
    "see its problem in `raglive status`."
)


async def verify_sources(
    installation: Installation, pipeline_id: str | None, sample: int | None
) -> list[Disagreement]:
    """Compare one pipeline's source with the index, or those of all pipelines.

    `sample` limits how many folders and files of Google Drive are requested. Raises `not_found` for
    an unknown pipeline, and the errors of a source that cannot be read.
    """
    async with installation.database("verify", max_size=2) as database:
        sources = await list_watched_sources(database)
        if pipeline_id is not None:
            require_known([pipeline_id], [one.record.pipeline_id for one in sources])
        problems: list[Disagreement] = []
        for one in sources:
            if pipeline_id in {None, one.record.pipeline_id}:
                problems += await _verify(installation.settings, one, sample)
        return problems


async def _verify(
    settings: Settings, source: WatchedSource, sample: int | None
) -> list[Disagreement]:
    record = source.record
    if source.is_google_drive:
        differences = await _compare_with_drive(settings, record, sample)
        return differences.problems(record.pipeline_id, _DRIVE_ADVICE)
    scope = WatchScope(
        Path(source.location),
        settings.ignore_patterns,
        follow_links=settings.follow_links,
        is_private=is_data_folder,
    )
    differences = await compare_with_folder(record, scope)
    return differences.problems(record.pipeline_id, _FOLDER_ADVICE)


async def _compare_with_drive(
    settings: Settings, record: PipelineRecord, sample: int | None
) -> SourceDifferences:
    async with open_google_drive(settings) as client:
        return await compare_with_drive(record, client, sample)
