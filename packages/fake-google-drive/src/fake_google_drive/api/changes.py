"""`changes` and `channels`: reading change logs, and push channels for them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from fake_google_drive.api.calls import Call, read_object
from fake_google_drive.change_logs import ChangeLogPage, TokenExpired, TokenUnknown
from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault
from fake_google_drive.resources import change_resource
from fake_google_drive.selection import select
from fake_google_drive.tree import Corpus

__all__ = ["get_start_page_token", "list_changes", "stop_channel", "watch_changes"]


def get_start_page_token(call: Call) -> dict[str, Any]:
    """Answer `changes.getStartPageToken`."""
    log = call.google.drive.logs.of(_corpus(call))
    return {"kind": "drive#startPageToken", "startPageToken": str(log.head)}


def list_changes(call: Call) -> dict[str, Any]:
    """Answer `changes.list`."""
    corpus = _corpus(call)
    page = _page(call, corpus)
    found: dict[str, Any] = {"kind": "drive#changeList"}
    if call.fields is None or "changes" in call.fields:
        found["changes"] = list(_changes(call, corpus, page))
    if page.next is not None:
        return found | {"nextPageToken": str(page.next)}
    return found | {"newStartPageToken": str(page.head)}


def _page(call: Call, corpus: Corpus) -> ChangeLogPage:
    token = call.text("pageToken")
    if token is None:
        raise DriveError.required("pageToken")
    if not token.isdecimal():
        raise DriveError.invalid("pageToken")
    log = call.google.drive.logs.of(corpus)
    try:
        return log.page(int(token), call.page_size(100, 1000))
    except TokenUnknown:
        raise DriveError.invalid("pageToken") from None
    except TokenExpired:
        fault = Fault(call.google.expired_page_token)
        raise fault.error() or DriveError.invalid("pageToken") from None


def _changes(call: Call, corpus: Corpus, page: ChangeLogPage) -> Any:
    wanted = None if call.fields is None else call.fields.get("changes")
    of_file = None if wanted is None else wanted.get("file", {})
    for change in page.changes:
        found = change_resource(
            change,
            corpus,
            call.viewer,
            of_file,
            include_corpus_removals=call.flag("includeCorpusRemovals"),
        )
        if _is_wanted(call, corpus, found):
            yield select(found, wanted)


def _is_wanted(call: Call, corpus: Corpus, found: dict[str, Any]) -> bool:
    if found["removed"]:
        return call.flag("includeRemoved", default=True)
    if found["changeType"] == "drive":
        return call.flag("supportsAllDrives") and call.flag("includeItemsFromAllDrives")
    if corpus[0] == "drive":
        return True
    root = call.tree.root(call.tree.items[found["fileId"]])
    if call.flag("restrictToMyDrive"):
        return root is call.tree.my_drives[call.user]
    is_shared = root.id in call.tree.shared_drives
    return not is_shared or call.flag("includeItemsFromAllDrives")


def watch_changes(call: Call, body: bytes) -> dict[str, Any]:
    """Answer `changes.watch`."""
    corpus = _corpus(call)
    _page(call, corpus)
    channel = call.google.channels.open(
        read_object(body),
        call.user,
        corpus,
        str(call.request.url.replace(path="/drive/v3/changes")),
    )
    return channel.resource()


def stop_channel(call: Call, body: bytes) -> Response:
    """Answer `channels.stop`."""
    wanted = read_object(body)
    call.google.channels.close(str(wanted.get("id")), str(wanted.get("resourceId")))
    return Response(status_code=204)


def _corpus(call: Call) -> Corpus:
    drive_id = call.text("driveId")
    if drive_id is None:
        return ("user", call.user)
    if not call.flag("supportsAllDrives"):
        raise DriveError.drive_not_found(drive_id)
    call.shared_drive(drive_id)
    return ("drive", drive_id)
