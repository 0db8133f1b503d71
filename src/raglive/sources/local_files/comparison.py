"""Compares a folder with the registry, without a change to either."""

from __future__ import annotations

import asyncio

from raglive.sources.comparison import SourceDifferences
from raglive.sources.local_files.location import readable
from raglive.sources.local_files.reconcile import reconcile
from raglive.sources.local_files.scan import Scanner
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.watched_folder import identify
from raglive.store.registry.files import KnownFile, Registry
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["compare_with_folder"]


async def compare_with_folder(record: PipelineRecord, scope: WatchScope) -> SourceDifferences:
    """Compare every file. Raises `FolderUnavailable` when the folder cannot be read."""
    known = await Registry(record).known()
    return await asyncio.to_thread(_compare, known, scope)


def _compare(known: list[KnownFile], scope: WatchScope) -> SourceDifferences:
    identify(scope.folder)
    scan = Scanner(scope, lambda _path, _location: None).everything()
    seen = [file for file in known if not scan.hides(file.location)]
    found = reconcile(seen, scan.files.values())
    changed = found.changed + found.moved + found.relocated
    return SourceDifferences(
        [readable(one.location) for one in found.new],
        [readable(file.location) for file in found.gone],
        [readable(file.location) for file, _ in changed],
    )
