"""Outlook mail (.msg and winmail.dat): headers, text and attachments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from email.utils import format_datetime
from functools import partial
from itertools import islice
from typing import NoReturn

from compressed_rtf import decompress

from raglive.extraction.model import ReaderOutput, Refusal, failed, skipped
from raglive.extraction.readers.html import declared_charset, html_to_text
from raglive.extraction.readers.kreuzberg_adapter import convert
from raglive.extraction.readers.mapi import MapiItem, StoredItem
from raglive.extraction.readers.nested_files import Attached, NestedFileReader, add_attachments
from raglive.extraction.readers.ole_container import CompoundFile
from raglive.extraction.readers.tnef import TnefItem
from raglive.extraction.text_encoding import decode
from raglive.extraction.text_normalisation import one_line
from raglive_contract.errors import ErrorCode

__all__ = ["read_msg", "read_tnef"]

_SUBJECT, _BODY, _HTML, _RTF = 0x0037, 0x1000, 0x1013, 0x1009
_SENT, _DELIVERED = 0x0039, 0x0E06
_NAME, _MAIL_ADDRESS, _ADDRESS = 0x3001, 0x39FE, 0x3003
_ROLE, _TO, _CC = 0x0C15, 1, 2
_SENDERS = ((0x0042, 0x5D02, 0x0065), (0x0C1A, 0x5D01, 0x0C1F))  # represented and actual sender
_SHOWN = {_TO: 0x0E04, _CC: 0x0E03}
_FILE_NAME, _SHORT_FILE_NAME, _MIME_TYPE, _CONTENT = 0x3707, 0x3704, 0x370E, 0x3701

_MAX_RECIPIENTS = 200
_MAX_HEADER_CHARS = 2_000


def read_msg(data: bytes, _name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read an Outlook mail (.msg) and its attachments, including other mails."""
    with CompoundFile(data) as file:
        return _read_mail(StoredItem(file), nested)


def read_tnef(data: bytes, _name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read a mail in TNEF format (winmail.dat) and its attachments."""
    return _read_mail(TnefItem.of(data), nested)


def _read_mail(mail: MapiItem, nested: NestedFileReader) -> ReaderOutput:
    subject = one_line(mail.text(_SUBJECT), _MAX_HEADER_CHARS)
    draft = ReaderOutput(
        ["\n".join(_headers(mail, subject)), _body(mail, nested)], title=subject or None
    )
    add_attachments(draft, _attached(mail, nested))
    return draft


def _headers(mail: MapiItem, subject: str) -> Iterator[str]:
    sent = mail.moment(_SENT) or mail.moment(_DELIVERED)
    recipients = _recipients(mail)
    headers = {
        "From": _sender(mail),
        "To": recipients[_TO],
        "Cc": recipients[_CC],
        "Date": format_datetime(sent) if sent else "",
        "Subject": subject,
    }
    return (f"{name}: {value}" for name, value in headers.items() if value)


def _sender(mail: MapiItem) -> str:
    people = (_person(mail.text(name), mail.text(*at)) for name, *at in _SENDERS)
    return next(filter(None, people), "")


def _recipients(mail: MapiItem) -> dict[int, str]:
    people: dict[int | None, list[str]] = defaultdict(list)
    for one in islice(mail.items("recipient"), _MAX_RECIPIENTS):
        person = _person(one.text(_NAME), one.text(_MAIL_ADDRESS, _ADDRESS))
        people[one.number(_ROLE)].append(person)
    return {
        role: one_line(", ".join(people[role]) or mail.text(shown), _MAX_HEADER_CHARS)
        for role, shown in _SHOWN.items()
    }


def _person(name: str, address: str) -> str:
    """Return `name <address>`, or only the name if the address is internal to Exchange."""
    name, address = (one_line(text, 300).strip("'\"") for text in (name, address))
    if "@" not in address or address.startswith("/") or address == name:
        return name
    return f"{name} <{address}>" if name else address


def _body(mail: MapiItem, nested: NestedFileReader) -> str:
    text = mail.text(_BODY).strip()
    if text:
        return text
    markup = mail.data(_HTML)
    html = decode(markup, declared_charset(markup) or mail.encoding) if markup else mail.text(_HTML)
    return html_to_text(html)[0] or _rich_text(mail.data(_RTF), nested)


def _rich_text(packed: bytes | None, nested: NestedFileReader) -> str:
    if not packed:
        return ""
    try:
        rtf = bytes(decompress(packed))
    except MemoryError:
        raise
    except Exception as error:
        raise failed(
            ErrorCode.EXTRACTION_ERROR, f"The text of the mail is damaged: {error}."
        ) from error
    nested.count_unpacked(len(rtf), len(rtf), len(packed))
    return str(convert(rtf, "application/rtf").content)


def _attached(mail: MapiItem, nested: NestedFileReader) -> Iterator[Attached]:
    for attachment in mail.items("attachment"):
        try:
            attached = _named(attachment, nested)
        except Refusal as refusal:
            attached = "attachment", partial(_refuse, refusal)
        yield attached


def _named(attachment: MapiItem, nested: NestedFileReader) -> Attached:
    inner = attachment.mail(_CONTENT)
    name = one_line(attachment.text(_FILE_NAME, _SHORT_FILE_NAME), 255)
    if inner is None:
        name = name or one_line(attachment.text(_NAME, _MIME_TYPE), 255) or "attachment"
        return name, partial(_read_file, attachment, name, nested)
    name = name or f"{one_line(inner.text(_SUBJECT), 250) or 'message'}.msg"
    return name, partial(nested.enter, name, partial(_read_mail, inner, nested))


def _refuse(refusal: Refusal) -> NoReturn:
    raise refusal


def _read_file(attachment: MapiItem, name: str, nested: NestedFileReader) -> ReaderOutput:
    data = attachment.data(_CONTENT)
    if data is None:
        raise skipped(
            ErrorCode.UNSUPPORTED, "The attachment is a link, or an object of another program."
        )
    declared = one_line(attachment.text(_MIME_TYPE), 255).lower()
    # A signed mail is a single attachment with the content type of a multipart message.
    mime_type = "message/rfc822" if declared.startswith("multipart/") else declared
    return nested.read(data, name, mime_type or None)
