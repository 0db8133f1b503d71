"""Compares folders and files of Google Drive with the registry, without a change to either."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import TypeVar

from raglive.sources.comparison import SourceDifferences
from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.errors import DriveNotFound
from raglive.store.registry.files import KnownFile, Registry
from raglive.store.registry.google_drive import Folder, GoogleDriveTables
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["compare_with_drive"]

Item = TypeVar("Item")


async def compare_with_drive(
    record: PipelineRecord, client: DriveClient, sample: int | None
) -> SourceDifferences:
    """List each known folder by itself, and request each file that was not in its folder.

    With `sample`, only so many folders and files, drawn at random. Raises the errors of
    `DriveTransport`.
    """
    tables = GoogleDriveTables(record)
    folders = {one.folder_id: one for one in await tables.all_folders()}
    known = {file.file_id: file for file in await Registry(record).known()}
    comparison = _Comparison(client, tables, folders, known, await tables.all_targets())
    for folder in _some(list(folders.values()), sample):
        await comparison.list_folder(folder)
    for file in _some(list(known.values()), sample):
        await comparison.request(file)
    return comparison.differences


class _Comparison:
    def __init__(
        self,
        client: DriveClient,
        tables: GoogleDriveTables,
        folders: Mapping[str, Folder],
        known: Mapping[str, KnownFile],
        targets: Collection[str],
    ) -> None:
        self.differences = SourceDifferences()
        self._client = client
        self._tables = tables
        self._folders = folders
        self._known = known
        self._targets = targets
        self._seen: set[str] = set()

    async def list_folder(self, folder: Folder) -> None:
        client = await self._client_for(folder.folder_id)
        token: str | None = None
        while True:
            try:
                page = await client.children([folder.folder_id], folder.log or None, token)
            except DriveNotFound:
                return  # its files are requested one by one
            for file in page.files:
                self._compare(file)
            token = page.next
            if token is None:
                return

    async def request(self, known: KnownFile) -> None:
        if known.file_id in self._seen:
            return
        try:
            client = await self._client_for(known.file_id)
            file = await client.file(known.file_id)
        except DriveNotFound:
            self.differences.left_over.append(known.name)
            return
        is_reached = file.parent in self._folders or file.id in self._targets
        if file.trashed or not is_reached:
            self.differences.left_over.append(known.name)
        else:
            self._compare(file)

    async def _client_for(self, item_id: str) -> DriveClient:
        keys = await self._tables.resource_keys([item_id])
        return self._client.with_resource_keys(keys)

    def _compare(self, file: DriveFile) -> None:
        if file.is_shortcut or file.id in self._seen:
            return
        self._seen.add(file.id)
        if file.is_folder:
            if file.id not in self._folders:
                self.differences.missing.append(f"folder {file.name}")
            return
        known = self._known.get(file.id)
        if known is None:
            self.differences.missing.append(file.name)
        elif known.source.get("key") != file.content_key:
            self.differences.outdated.append(file.name)


def _some(of: list[Item], sample: int | None) -> list[Item]:
    return of if sample is None or sample >= len(of) else random.sample(of, sample)
