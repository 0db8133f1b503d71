"""`files` and `permissions`: what editors create, change, copy, share and delete."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple, cast

from starlette.responses import Response

from fake_google_drive.api.calls import Call, read_object
from fake_google_drive.errors import DriveError
from fake_google_drive.items import Item
from fake_google_drive.mime import FOLDER, MARKDOWN, PLAIN, SHORTCUT, guess_mime_type, is_native
from fake_google_drive.resources import file_resource, user_resource

__all__ = [
    "copy_file",
    "create_file",
    "create_permission",
    "delete_file",
    "delete_permission",
    "list_permissions",
    "update_file",
]

ANYONE = "anyoneWithLink"


class _Sent(NamedTuple):
    """The metadata and, of an upload, the content and its media type."""

    metadata: dict[str, Any]
    content: bytes | None = None
    mime_type: str | None = None


def create_file(call: Call, body: bytes) -> dict[str, Any]:
    """Answer `files.create`, with or without a content."""
    sent = _read(call, body)
    metadata = sent.metadata
    name, parents = str(metadata.get("name") or "Untitled"), metadata.get("parents") or ["root"]
    parent = _editable(call, str(parents[0]))
    drive, mime_type = call.google.drive, str(metadata.get("mimeType") or "")
    if mime_type == FOLDER:
        item = drive.create_folder(name, parent)
    elif mime_type == SHORTCUT:
        target = str((metadata.get("shortcutDetails") or {}).get("targetId") or "")
        item = drive.create_shortcut(call.item(target), parent, name)
    elif is_native(mime_type):
        item = drive.create_native(name, parent, mime_type, _exports(sent.content or b""))
    else:
        kind = mime_type or sent.mime_type or guess_mime_type(name)
        item = drive.create(name, parent, sent.content or b"", mime_type=kind)
    return file_resource(item, call.viewer, call.fields)


def update_file(call: Call, body: bytes) -> dict[str, Any]:
    """Answer `files.update`: content, name, trash and parent."""
    item = _editable(call, call.request.path_params["file_id"])
    sent, drive = _read(call, body), call.google.drive
    if sent.content is not None and item.is_native:
        drive.write_native(item, _exports(sent.content))
    elif sent.content is not None:
        drive.write(item, sent.content)
    if "name" in sent.metadata:
        drive.rename(item, str(sent.metadata["name"]))
    if (parent := call.text("addParents")) is not None:
        _move(call, item, parent)
    if "trashed" in sent.metadata:
        (drive.trash if sent.metadata["trashed"] else drive.untrash)(item)
    return file_resource(item, call.viewer, call.fields)


def _move(call: Call, item: Item, parent: str) -> None:
    if call.text("removeParents") != item.parent:
        message = "A shared drive item must have exactly one parent."
        raise DriveError(403, "cannotAddParent", message)
    try:
        call.google.drive.move(item, _editable(call, parent))
    except ValueError:
        message = "The specified parent is not valid."
        raise DriveError(403, "cyclicParents", message) from None


def delete_file(call: Call) -> Response:
    """Answer `files.delete`, which skips the trash."""
    call.google.drive.delete(_editable(call, call.request.path_params["file_id"]))
    return Response(status_code=204)


def copy_file(call: Call, body: bytes) -> dict[str, Any]:
    """Answer `files.copy`; a folder cannot be copied."""
    of, metadata = call.item(call.request.path_params["file_id"]), _read(call, body).metadata
    if of.is_folder or not of.can_download:
        raise DriveError(403, "cannotCopyFile", "This file cannot be copied by the user.")
    parents = metadata.get("parents") or [of.parent]
    name, parent = str(metadata.get("name") or f"Copy of {of.name}"), _editable(call, parents[0])
    drive = call.google.drive
    if of.exports is not None:
        item = drive.create_native(name, parent, of.mime_type, of.exports)
    else:
        item = drive.create(name, parent, of.content or b"", mime_type=of.mime_type)
    return file_resource(item, call.viewer, call.fields)


def create_permission(call: Call, body: bytes) -> dict[str, Any]:
    """Answer `permissions.create` for a reader: a user, or anyone with the link."""
    item = _editable(call, call.request.path_params["file_id"])
    wanted = _read(call, body).metadata
    drive = call.google.drive
    if wanted.get("role") != "reader":
        raise DriveError.bad_request("The double knows the role reader alone.", "role")
    if wanted.get("type") == "anyone":
        drive.share_by_link(item)
        return _anyone()
    email = str(wanted.get("emailAddress") or "")
    if wanted.get("type") != "user" or "@" not in email:
        raise DriveError(400, "invalidSharingRequest", 'Bad Request. User message: ""')
    drive.share(item, email)
    return _reader(call, email)


def list_permissions(call: Call) -> dict[str, Any]:
    """Answer `permissions.list`: the readers, and anyone with the link."""
    item = _editable(call, call.request.path_params["file_id"])
    found = [_reader(call, email) for email in item.readers]
    everyone = [_anyone()] if item.is_shared_by_link else []
    return {"kind": "drive#permissionList", "permissions": found + everyone}


def delete_permission(call: Call) -> Response:
    """Answer `permissions.delete`."""
    item = _editable(call, call.request.path_params["file_id"])
    permission, drive = call.request.path_params["permission_id"], call.google.drive
    if permission == ANYONE and item.is_shared_by_link:
        drive.unshare_by_link(item)
        return Response(status_code=204)
    for email in list(item.readers):
        if _reader(call, email)["id"] == permission:
            drive.unshare(item, email)
            return Response(status_code=204)
    message = f"Permission not found: {permission}."
    raise DriveError(404, "notFound", message, location="permissionId")


def _reader(call: Call, email: str) -> dict[str, Any]:
    user = user_resource(email, call.viewer)
    return {
        "kind": "drive#permission",
        "id": user["permissionId"],
        "type": "user",
        "role": "reader",
        "emailAddress": email,
        "displayName": user["displayName"],
    }


def _anyone() -> dict[str, Any]:
    return {
        "kind": "drive#permission",
        "id": ANYONE,
        "type": "anyone",
        "role": "reader",
        "allowFileDiscovery": False,
    }


def _editable(call: Call, file_id: str) -> Item:
    """Return an item that the user may change, or raise `DriveError`."""
    if not call.grant.writes:
        raise DriveError.insufficient_scope()
    item = call.item(file_id)
    drive = call.tree.shared_drive(item)
    if drive is not None and not call.flag("supportsAllDrives"):
        raise DriveError.file_not_found(file_id)
    if item.owner != call.user and (drive is None or call.user not in drive.members):
        message = "The user does not have sufficient permissions for this file."
        raise DriveError(403, "insufficientFilePermissions", message)
    return item


def _read(call: Call, body: bytes) -> _Sent:
    """Return what a request sends: JSON, `multipart/related`, or the content alone."""
    content_type = call.request.headers.get("content-type", "")
    upload = call.parameters.get("uploadType")
    if upload == "media":
        return _Sent({}, body, content_type.partition(";")[0] or None)
    if upload not in {None, "multipart"}:
        raise DriveError.bad_request("The double has no resumable uploads.", "uploadType")
    if upload is None:
        return _Sent(read_object(body or b"{}"))
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parts = list(BytesParser(policy=HTTP).parsebytes(head + body).iter_parts())
    if len(parts) != 2:
        raise DriveError.bad_request("Malformed multipart body.")
    metadata, media = (cast("bytes", part.get_payload(decode=True)) for part in parts)
    return _Sent(read_object(metadata), media, parts[1].get_content_type())


def _exports(content: bytes) -> dict[str, bytes]:
    """Return the exports of a document that was converted from a text."""
    return {PLAIN: content, MARKDOWN: content}
