"""A test double of Google Drive with many files, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys

from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item
from fake_google_drive.oauth import SERVICE_ACCOUNT
from fake_google_drive.server import FakeDriveServer

FILES_PER_FOLDER = 100
FOLDERS_PER_PART = 50


async def main(files: int) -> None:
    """Serve a folder of small files, a hundred to a folder, and print how to reach it.

    For each line on standard input it renames every file and prints a line. It ends with the input.
    """
    drive = FakeDrive()
    root = drive.create_folder("root", drive.my_drive(SERVICE_ACCOUNT))
    parts: list[str] = []
    made: list[Item] = []
    above = folder = root
    for number in range(files):
        if number % (FILES_PER_FOLDER * FOLDERS_PER_PART) == 0:
            above = drive.create_folder(f"part {number}", root)
            parts.append(above.id)
        if number % FILES_PER_FOLDER == 0:
            folder = drive.create_folder(f"folder {number}", above)
        made.append(drive.create(f"{number}.txt", folder, f"text {number}"))
    async with FakeDriveServer(drive) as server:
        credentials = server.credentials_json()
        found = {"url": server.url, "root": root.id, "parts": parts, "credentials": credentials}
        print(json.dumps(found), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            for file in made:
                drive.rename(file, f"new {file.name}")
            print("renamed", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
