"""Mail: the headers that matter, the text, and what is attached."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from functools import partial
from typing import cast

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft
from raglive.pipeline.extraction.readers.attachments import Attached, add_attachments
from raglive.pipeline.extraction.readers.html import html_to_text
from raglive.pipeline.extraction.readers.nesting import Nesting
from raglive.pipeline.extraction.text import one_line

__all__ = ["read_mail"]

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ALTERNATIVES = {"text/plain", "text/html"}


def read_mail(data: bytes, _name: str, nesting: Nesting) -> Draft:
    """Read an RFC 822 message, and what is attached to it, other messages included."""
    message = message_from_bytes(data, policy=policy.default)
    headers = "\n".join(_headers(message))
    draft = Draft([headers, _body(message)], title=_header(message, "Subject") or None)
    add_attachments(draft, _attached(message, nesting))
    return draft


def _headers(message: EmailMessage) -> Iterator[str]:
    for name in _HEADERS:
        value = _header(message, name)
        if value:
            yield f"{name}: {value}"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(str(message[name] or ""), 2_000)
    except (ValueError, LookupError, IndexError, AttributeError):  # the email package's parsers
        return ""


def _body(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    text = decode(_payload(body), body.get_content_charset())
    return html_to_text(text)[0] if body.get_content_type() == "text/html" else text.strip()


def _attached(message: EmailMessage, nesting: Nesting) -> Iterator[Attached]:
    for part in _attachments(message):
        name = _attachment_name(part)
        yield name, partial(_read_part, part, name, nesting)


def _read_part(part: EmailMessage, name: str, nesting: Nesting) -> Draft:
    return nesting.read(_payload(part), name, part.get_content_type())


def _attachments(message: EmailMessage) -> Iterator[EmailMessage]:
    body = message.get_body(("plain", "html"))
    waiting = [message]
    while waiting:
        part = waiting.pop()
        inline = part.get_content_type() in _ALTERNATIVES and not part.get_filename()
        if part.get_content_maintype() == "multipart":
            waiting += reversed(cast("list[EmailMessage]", part.get_payload()))
        elif part is not body and not inline:
            yield part


def _attachment_name(part: EmailMessage) -> str:
    inner = _inner_message(part)
    if inner is not None and not part.get_filename():
        return f"{_header(inner, 'Subject') or 'message'}.eml"
    return one_line(part.get_filename() or part.get_content_type(), 255)


def _inner_message(part: MIMEPart) -> EmailMessage | None:
    if part.get_content_type() != "message/rfc822" or not part.is_multipart():
        return None
    return cast("list[EmailMessage]", part.get_payload())[0]


def _payload(part: MIMEPart) -> bytes:
    inner = _inner_message(part)
    if inner is not None:
        return inner.as_bytes()
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
