"""`files` and `operations`: metadata, listings, downloads, exports."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from fake_google_drive.api.calls import Call
from fake_google_drive.api.media import Media
from fake_google_drive.content import Content
from fake_google_drive.errors import DriveError
from fake_google_drive.faults import FaultKind
from fake_google_drive.google import Operation
from fake_google_drive.items import Item
from fake_google_drive.listing import FileSearch, OrderError, PageTokenUnknown
from fake_google_drive.mime import (
    DOCUMENT,
    DOCX,
    EXPORT_FORMATS,
    PDF,
    PPTX,
    PRESENTATION,
    SPREADSHEET,
    XLSX,
)
from fake_google_drive.query import Query, QueryError, parse_query
from fake_google_drive.resources import file_resource

__all__ = [
    "download_file",
    "export_by_link",
    "export_file",
    "get_file",
    "get_operation",
    "get_operation_media",
    "list_files",
]

_LRO = "type.googleapis.com/google.apps.drive.v3."
_DEFAULT_DOWNLOADS = {DOCUMENT: DOCX, SPREADSHEET: XLSX, PRESENTATION: PPTX}


def list_files(call: Call) -> dict[str, Any]:
    """Answer `files.list`."""
    search = _search(call)
    try:
        page = call.google.listings.page(search, call.page_size(100, 1000), call.text("pageToken"))
    except PageTokenUnknown:
        raise DriveError.invalid("pageToken") from None
    except OrderError:
        raise DriveError.invalid("orderBy") from None
    wanted = None if call.fields is None else call.fields.get("files")
    found: dict[str, Any] = {
        "kind": "drive#fileList",
        "incompleteSearch": _struck(call, FaultKind.INCOMPLETE_SEARCH),
    }
    hidden = _hidden_parents(call, search)
    if call.fields is None or "files" in call.fields:
        found["files"] = [
            file_resource(item, call.viewer, wanted)
            for item in page.items
            if item.parent not in hidden
        ]
    return found if page.next is None else found | {"nextPageToken": page.next}


def _hidden_parents(call: Call, search: FileSearch) -> set[str]:
    """Return the folders of a search whose content a fault leaves out."""
    folders = sorted(search.query.folders() or ()) if search.query else []
    if _struck(call, FaultKind.EMPTY):
        return set(folders)
    if len(folders) > 1 and _struck(call, FaultKind.SEVERAL_PARENTS_EMPTY):
        return set(folders)
    if len(folders) > 1 and _struck(call, FaultKind.SEVERAL_PARENTS_PARTIAL):
        return set(folders[len(folders) // 2 :])
    return set()


def get_file(call: Call) -> dict[str, Any] | Response:
    """Answer `files.get`: metadata, or the content with `alt=media`."""
    item = _reached(call)
    if call.parameters.get("alt") != "media":
        return file_resource(item, call.viewer, call.fields)
    _require_content(call)
    if item.content is None:
        message = (
            "Only files with binary content can be downloaded. Use Export with Docs Editors files."
        )
        raise DriveError(403, "fileNotDownloadable", message, location="alt")
    _require_download(call, item)
    return _media(call, item.content, item.mime_type)


def export_file(call: Call) -> Response:
    """Answer `files.export`."""
    mime_type = call.text("mimeType")
    if mime_type is None:
        raise DriveError.required("mimeType")
    content = _exported(call, call.item(call.request.path_params["file_id"]), mime_type)
    if content.size > call.google.export_limit_bytes:
        message = "This file is too large to be exported."
        raise DriveError(403, "exportSizeLimitExceeded", message)
    return _media(call, content, mime_type)


def export_by_link(call: Call) -> Response:
    """Answer a link of `exportLinks`, which has no size limit."""
    item = call.item(call.parameters.get("id", ""))
    wanted = call.parameters.get("exportFormat")
    formats = EXPORT_FORMATS.get(item.mime_type, {})
    mime_type = next((each for each, name in formats.items() if name == wanted), "")
    return _media(call, _exported(call, item, mime_type), mime_type)


def download_file(call: Call) -> dict[str, Any]:
    """Answer `files.download`: start an operation."""
    item = call.item(call.request.path_params["file_id"])
    mime_type = call.text("mimeType")
    _download(call, item, mime_type)
    operation = call.google.start_operation(call.user, item.id, mime_type)
    operation.failed = _struck(call, FaultKind.OPERATION_FAILED)
    return _operation(call, operation)


def get_operation(call: Call) -> dict[str, Any]:
    """Answer `operations.get`; each call brings the operation nearer to its end."""
    operation = _own_operation(call)
    operation.looks_left -= 1
    operation.failed = operation.failed or _struck(call, FaultKind.OPERATION_FAILED)
    return _operation(call, operation)


def get_operation_media(call: Call) -> Response:
    """Answer the download address of a finished operation."""
    operation = _own_operation(call)
    content, mime_type = _download(call, call.item(operation.file_id), operation.mime_type)
    return _media(call, content, mime_type)


def _search(call: Call) -> FileSearch:
    corpora = call.text("corpora") or ("drive" if call.text("driveId") else "user")
    drive_id = call.text("driveId")
    everywhere = call.flag("includeItemsFromAllDrives") and call.flag("supportsAllDrives")
    if corpora not in {"user", "domain", "drive", "allDrives"}:
        raise DriveError.invalid("corpora")
    if (corpora == "drive") != (drive_id is not None):
        message = "The driveId parameter must be specified if and only if corpora is set to drive."
        raise DriveError(400, "invalid", message, location="driveId")
    if corpora in {"drive", "allDrives"} and not everywhere:
        message = (
            "The supportsAllDrives and includeItemsFromAllDrives parameters must be set to true "
            f"when corpora is set to {corpora}."
        )
        raise DriveError.bad_request(message, "includeItemsFromAllDrives")
    if drive_id is not None:
        call.shared_drive(drive_id)
    text = call.text("q")
    query = _query(call, text)
    folders = (query.folders() if query else None) or ()
    opened = frozenset(folder for folder in folders if call.is_opened_by_key(call.item(folder)))
    order = call.text("orderBy") or ""
    return FileSearch(call.user, query, text or "", drive_id, everywhere, order, opened)


def _query(call: Call, text: str | None) -> Query | None:
    if text is None:
        return None
    try:
        query = parse_query(text)
    except QueryError:
        raise DriveError.invalid("q") from None
    for folder in query.folders() or ():
        try:
            call.item(folder)
        except DriveError:
            # Drive does not name the folder.
            raise DriveError.file_not_found("") from None
    return query


def _reached(call: Call) -> Item:
    item = call.item(call.request.path_params["file_id"])
    if call.tree.shared_drive(item) is not None and not call.flag("supportsAllDrives"):
        raise DriveError.file_not_found(item.id)
    return item


def _exported(call: Call, item: Item, mime_type: str) -> Content:
    _require_content(call)
    if not item.is_native or item.is_folder or item.is_shortcut:
        message = "Export only supports Docs Editors files."
        raise DriveError(403, "fileNotExportable", message)
    _require_download(call, item)
    content = None if item.exports is None else item.exports.get(mime_type.lower())
    if content is None:
        message = "The requested conversion is not supported."
        raise DriveError.bad_request(message, "convertTo")
    return content


def _download(call: Call, item: Item, mime_type: str | None) -> tuple[Content, str]:
    if item.content is not None:
        _require_content(call)
        _require_download(call, item)
        return item.content, item.mime_type
    wanted = mime_type or _DEFAULT_DOWNLOADS.get(item.mime_type, PDF)
    return _exported(call, item, wanted), wanted


def _operation(call: Call, operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": operation.name,
        "metadata": {"@type": f"{_LRO}DownloadFileMetadata"},
    }
    if operation.looks_left > 0:
        return found
    found["done"] = True
    if operation.failed:
        return found | {"error": {"code": 13, "message": "The file could not be exported."}}
    item = call.item(operation.file_id)
    return found | {
        "response": {
            "@type": f"{_LRO}DownloadFileResponse",
            "downloadUri": f"{call.viewer.url}/download/operations/{operation.name}",
            "partialDownloadAllowed": item.content is not None,
        }
    }


def _own_operation(call: Call) -> Operation:
    name = call.request.path_params["name"]
    operation = call.google.operation(name)
    if operation is None or operation.user != call.user:
        raise DriveError(404, "notFound", f"Operation not found: {name}.", location="name")
    return operation


def _require_content(call: Call) -> None:
    if not call.grant.reads_content:
        raise DriveError.insufficient_scope()


def _require_download(call: Call, item: Item) -> None:
    if not item.can_download:
        message = "This file cannot be downloaded by the user."
        raise DriveError(403, "cannotDownloadFile", message)
    if item.is_abusive and not (call.flag("acknowledgeAbuse") and item.owner == call.user):
        message = "This file has been identified as malware or spam and cannot be downloaded."
        raise DriveError(403, "cannotDownloadAbusiveFile", message)


def _media(call: Call, content: Content, mime_type: str) -> Media:
    return Media(content, mime_type, call.request.headers.get("range"), call.fault)


def _struck(call: Call, kind: FaultKind) -> bool:
    return call.fault is not None and call.fault.kind is kind
