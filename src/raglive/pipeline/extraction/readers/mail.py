"""Mail: the headers that matter, the text, and what is attached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from itertools import islice

from raglive.pipeline.extraction.encoding import decode
from raglive.pipeline.extraction.model import Draft, Refusal, Table
from raglive.pipeline.extraction.readers.html import html_to_text
from raglive.pipeline.extraction.text import one_line

__all__ = ["mail_reader"]

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_ATTACHMENTS = 100


def mail_reader(
    read_attachment: Callable[[bytes, str, str], Draft],
) -> Callable[[bytes, str], Draft]:
    """Return a reader of RFC 822 messages; `read_attachment` takes bytes, name and type."""

    def read(data: bytes, _name: str) -> Draft:
        message = message_from_bytes(data, policy=policy.default)
        parts = ["\n".join(_headers(message)), _body(message)]
        tables: list[Table] = []
        for part in islice(_attachments(message), _MAX_ATTACHMENTS):
            name = _attachment_name(part)
            try:
                draft = read_attachment(_payload(part), name, part.get_content_type())
            except Refusal as refusal:
                parts.append(f"Attachment: {name} ({refusal.code.replace('_', ' ')})")
                continue
            parts += [f"Attachment: {name}", *draft.parts]
            tables += draft.tables
        return Draft(parts, tables=tuple(tables), title=_header(message, "Subject") or None)

    return read


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


def _attachments(message: EmailMessage) -> Iterator[EmailMessage]:
    body = message.get_body(("plain", "html"))
    alternatives = {"text/plain", "text/html"}
    for part in message.walk():
        inline = part.get_content_type() in alternatives and not part.get_filename()
        if not part.is_multipart() and part is not body and not inline:
            yield part


def _attachment_name(part: EmailMessage) -> str:
    return one_line(part.get_filename() or part.get_content_type(), 255)


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
