"""Google's own client library reads the double from end to end."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload

from fake_google_drive import FakeDrive, FakeDriveServer, FaultKind
from fake_google_drive.mime import DOCUMENT, DOCX, MARKDOWN
from fake_google_drive.oauth import SERVICE_ACCOUNT
from tests.integration.fake_google_drive.conftest import ANN, BOB, google_client


def download(request: Any) -> bytes:
    """Return what a request downloads, in pieces of 1 kB."""
    buffer = io.BytesIO()
    downloader, is_done = MediaIoBaseDownload(buffer, request, chunksize=1024), False
    while not is_done:
        _, is_done = downloader.next_chunk(num_retries=2)
    return buffer.getvalue()


async def test_it_lists_downloads_and_follows_changes(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    root = drive.my_drive(ANN)
    content = bytes(range(256)) * 20
    file = drive.create("data.bin", root, content)
    for number in range(5):
        drive.create(f"{number}.txt", root, str(number))

    def read() -> None:
        files, changes = (client := google_client(server, ANN)).files(), client.changes()
        token = changes.getStartPageToken().execute()["startPageToken"]
        names, page = [], files.list(q=f"'{root.id}' in parents and trashed=false", pageSize=4)
        while page is not None:
            found = page.execute()
            names += [each["name"] for each in found["files"]]
            page = files.list_next(page, found)
        assert names == ["data.bin", "0.txt", "1.txt", "2.txt", "3.txt", "4.txt"]
        assert download(files.get_media(fileId=file.id)) == content
        assert changes.list(pageToken=token).execute()["newStartPageToken"] == token

    def read_on() -> None:
        changes = google_client(server, ANN).changes()
        page = changes.list(pageToken="1000", pageSize=3, fields="*")
        removed: dict[str, bool] = {}
        while page is not None:
            found = page.execute()
            removed |= {each["fileId"]: each["removed"] for each in found["changes"]}
            page = changes.list_next(page, found)
        assert removed.pop(file.id)
        assert not any(removed.values())

    await asyncio.to_thread(read)
    drive.delete(file)
    await asyncio.to_thread(read_on)


async def test_it_exports_by_each_way_that_google_offers(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    server.google.export_limit_bytes = 100
    exports = {MARKDOWN: b"small", DOCX: b"large" * 100}
    document = drive.create_native("plan", drive.my_drive(ANN), DOCUMENT, exports)

    def export() -> None:
        client = google_client(server, ANN)
        files, http = client.files(), client._http
        assert download(files.export_media(fileId=document.id, mimeType=MARKDOWN)) == b"small"
        with pytest.raises(HttpError) as refused:
            files.export_media(fileId=document.id, mimeType=DOCX).execute()
        assert refused.value.error_details[0]["reason"] == "exportSizeLimitExceeded"

        links = files.get(fileId=document.id, fields="exportLinks").execute()["exportLinks"]
        assert http.request(links[DOCX])[1] == exports[DOCX]

        operation = files.download(fileId=document.id, mimeType=DOCX).execute()
        assert not operation.get("done")
        done = client.operations().get(name=operation["name"]).execute()
        assert http.request(done["response"]["downloadUri"])[1] == exports[DOCX]

    await asyncio.to_thread(export)


async def test_it_asks_for_a_new_token_when_the_old_one_expires(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    drive.create("a.txt", drive.my_drive(ANN))
    client = google_client(server, ANN)
    about = client.about().get(fields="user")
    assert (await asyncio.to_thread(about.execute))["user"]["emailAddress"] == ANN
    server.google.oauth.expire_access_tokens()
    assert (await asyncio.to_thread(about.execute))["user"]["emailAddress"] == ANN
    assert [each.status for each in server.google.requests] == [200, 401, 200]


async def test_a_service_account_sees_what_is_shared_with_it(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    drive.share(drive.create("a.txt", drive.my_drive(ANN)), SERVICE_ACCOUNT)
    drive.create("b.txt", drive.my_drive(ANN))
    listing = google_client(server, None).files().list()
    found = await asyncio.to_thread(listing.execute)
    assert [each["name"] for each in found["files"]] == ["a.txt"]


async def test_invalid_grants_are_refused_as_google_does(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    about = google_client(server, ANN).about().get(fields="user")
    server.fail("token", FaultKind.INVALID_GRANT)
    with pytest.raises(RefreshError, match="invalid_grant"):
        await asyncio.to_thread(about.execute)
    stranger = google_client(server, "nobody@example.com").about().get(fields="user")
    with pytest.raises(RefreshError, match="Invalid email or User ID"):
        await asyncio.to_thread(stranger.execute)
    server.google.oauth.impersonation = False
    undelegated = google_client(server, ANN).about().get(fields="user")
    with pytest.raises(RefreshError, match="unauthorized_client"):
        await asyncio.to_thread(undelegated.execute)


async def test_a_users_refresh_token_works_until_it_is_revoked(server: FakeDriveServer) -> None:
    kept = json.loads(server.user_credentials_json(ANN))
    make: Any = Credentials
    names = ("refresh_token", "token_uri", "client_id", "client_secret")
    credentials = make(None, **{name: kept[name] for name in names})
    await asyncio.to_thread(credentials.refresh, Request())
    grant = server.google.oauth.grant(credentials.token)
    assert grant is not None
    assert grant.user == ANN
    server.google.oauth.revoke(ANN)
    with pytest.raises(RefreshError, match="expired or revoked"):
        await asyncio.to_thread(credentials.refresh, Request())


async def test_it_retries_transient_errors_and_raises_permanent_ones(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    file = drive.create("a.bin", drive.my_drive(ANN), b"a" * 5000)
    files = google_client(server, ANN).files()
    server.fail("files.getMedia", FaultKind.UNAVAILABLE, times=1, after=1)
    assert await asyncio.to_thread(download, files.get_media(fileId=file.id)) == b"a" * 5000
    drive.set_downloadable(file, allowed=False)
    with pytest.raises(HttpError) as refused:
        await asyncio.to_thread(download, files.get_media(fileId=file.id))
    assert refused.value.error_details[0]["reason"] == "cannotDownloadFile"


async def test_it_shares_and_is_refused_where_google_refuses(
    server: FakeDriveServer, drive: FakeDrive
) -> None:
    folder = drive.create_folder("folder", drive.my_drive(ANN))
    inner = drive.create_folder("inner", folder)

    def share(client: Any, body: dict[str, Any]) -> str:
        request = client.permissions().create(fileId=folder.id, body=body | {"role": "reader"})
        return str(request.execute()["id"])

    def write() -> list[str]:
        ann, bob = (google_client(server, user, writes=True) for user in (ANN, BOB))
        permission = share(ann, {"type": "user", "emailAddress": BOB})
        assert share(ann, {"type": "anyone"}) == "anyoneWithLink"
        listed = ann.permissions().list(fileId=folder.id).execute()["permissions"]
        assert [each["type"] for each in listed] == ["user", "anyone"]
        refused = [
            bob.files().update(fileId=folder.id, body={"name": "Bob's"}),
            google_client(server, ANN).files().delete(fileId=folder.id),
            ann.files().update(fileId=folder.id, addParents=inner.id, removeParents=folder.parent),
            ann.files().copy(fileId=folder.id),
        ]
        reasons = []
        for request in refused:
            with pytest.raises(HttpError) as error:
                request.execute()
            reasons.append(error.value.error_details[0]["reason"])
        ann.permissions().delete(fileId=folder.id, permissionId=permission).execute()
        return reasons

    assert await asyncio.to_thread(write) == [
        "insufficientFilePermissions",
        "insufficientPermissions",
        "cyclicParents",
        "cannotCopyFile",
    ]
    assert not drive.tree.is_visible(folder, BOB)
