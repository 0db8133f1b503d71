"""The double's names and answers against Google's discovery document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from fake_google_drive import FakeDrive, FakeDriveServer, Item
from fake_google_drive.mime import DOCUMENT, PLAIN
from fake_google_drive.schema import FLAGS, PARAMETERS, RESOURCES
from tests.integration.fake_google_drive.conftest import ALL_DRIVES, ANN, Asker
from tests.integration.fake_google_drive.discovery import check, document


def test_parameters_are_those_of_the_document() -> None:
    for name, parameters in PARAMETERS.items():
        resource, method = name.split(".")
        known = document()["resources"][resource]["methods"][method]["parameters"]
        assert parameters == {each for each, of in known.items() if of["location"] == "query"}
        booleans = {each for each, of in known.items() if of["type"] == "boolean"}
        assert booleans == parameters & FLAGS


def test_names_are_those_of_the_document() -> None:
    for name, known in RESOURCES.items():
        _same_names(known, {"$ref": name}, name)


def _same_names(known: dict[str, Any], schema: dict[str, Any], where: str) -> None:
    if "$ref" in schema:
        schema = document()["schemas"][schema["$ref"]]
    assert set(known) == set(schema["properties"]), where
    for name, below in known.items():
        if below:
            of = schema["properties"][name]
            _same_names(below, of.get("items", of), f"{where}.{name}")


@pytest.fixture
def shared(drive: FakeDrive) -> Item:
    """Ann's shared drive and My Drive, each with one item of every kind."""
    shared = drive.shared_drive("Sales", [ANN])
    for root in (drive.my_drive(ANN), shared):
        folder = drive.create_folder("folder", root)
        file = drive.create("file.pdf", folder, b"%PDF")
        drive.create_native("doc", folder, DOCUMENT, {PLAIN: "hello"})
        drive.create_shortcut(file, root)
        drive.trash(drive.create("trashed", root))
        drive.delete(drive.create("deleted", root))
    drive.share(folder, "cy@example.com")
    return shared


Get = Callable[[Asker, Item], Awaitable[dict[str, Any]]]
ANSWERS: dict[str, Get] = {
    "About": lambda ann, _: ann.get("about", fields="*"),
    "DriveList": lambda ann, _: ann.get("drives"),
    "Drive": lambda ann, shared: ann.get(f"drives/{shared.id}"),
    "StartPageToken": lambda ann, _: ann.get("changes/startPageToken"),
    "FileList": lambda ann, _: ann.get("files", corpora="allDrives", fields="*", **ALL_DRIVES),
    "File": lambda ann, _: ann.get("files/root", fields="*"),
    "ChangeList": lambda ann, _: ann.get("changes", pageToken=1000, fields="*", **ALL_DRIVES),
}


@pytest.mark.parametrize("schema", ANSWERS)
async def test_answers_match_the_documents_schemas(ann: Asker, shared: Item, schema: str) -> None:
    answer = await ANSWERS[schema](ann, shared)
    check(answer, schema)


async def test_a_shared_drives_changes_match_the_documents_schema(ann: Asker, shared: Item) -> None:
    parameters = {"driveId": shared.id, "includeCorpusRemovals": "true", **ALL_DRIVES}
    answer = await ann.get("changes", pageToken=1000, fields="*", **parameters)
    assert {change["removed"] for change in answer["changes"]} == {True, False}
    check(answer, "ChangeList")


async def test_channels_and_operations_match_the_documents_schemas(
    server: FakeDriveServer, ann: Asker, drive: FakeDrive
) -> None:
    file = drive.create("a", drive.my_drive(ANN), b"a")
    started = await ann.http.post(f"files/{file.id}/download")
    check(started.json(), "Operation")
    done = await ann.get(f"operations/{started.json()['name']}")
    assert done["done"]
    check(done, "Operation")
    wanted = {"id": "1", "type": "web_hook", "address": f"{server.url}/nowhere", "token": "t"}
    channel = await ann.http.post("changes/watch?pageToken=1000", json=wanted)
    check(channel.json(), "Channel")
    assert (await ann.http.post("channels/stop", json=channel.json())).status_code == 204


async def test_refusals_have_googles_form(server: FakeDriveServer, ann: Asker) -> None:
    missing = (await ann.http.get("files/nope")).json()
    message = "File not found: nope."
    assert missing == {
        "error": {
            "code": 404,
            "message": message,
            "errors": [
                {
                    "message": message,
                    "domain": "global",
                    "reason": "notFound",
                    "location": "fileId",
                    "locationType": "parameter",
                }
            ],
        }
    }
    async with httpx.AsyncClient(base_url=server.url) as stranger:
        answer = await stranger.get("/drive/v3/about", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "parameters", "status", "reason"),
    [
        ("files", {"q": "name ="}, 400, "invalid"),
        ("files", {"q": "colour = 'red'"}, 400, "invalid"),
        ("files", {"q": "'nope' in parents"}, 404, "notFound"),
        ("files", {"fields": "files(id,colour)"}, 400, "invalidParameter"),
        ("files", {"orderBy": "colour"}, 400, "invalid"),
        ("files", {"pageToken": "nope"}, 400, "invalid"),
        ("files", {"pageSize": "0"}, 400, "invalidParameter"),
        ("files", {"corpora": "drive"}, 400, "invalid"),
        ("files", {"corpora": "allDrives"}, 400, "badRequest"),
        ("files", {"colour": "red"}, 400, "badRequest"),
        ("files", {"supportsAllDrives": "maybe"}, 400, "invalid"),
        ("about", {}, 400, "required"),
        ("changes", {}, 400, "required"),
        ("changes", {"pageToken": "999"}, 400, "invalid"),
        ("changes", {"pageToken": "x"}, 400, "invalid"),
        ("changes/startPageToken", {"driveId": "nope"}, 404, "notFound"),
        ("drives/nope", {}, 404, "notFound"),
        ("operations/nope", {}, 404, "notFound"),
    ],
)
async def test_invalid_requests_are_refused(
    ann: Asker, path: str, parameters: dict[str, str], status: int, reason: str
) -> None:
    assert await ann.refused(path, **parameters) == (status, reason)
