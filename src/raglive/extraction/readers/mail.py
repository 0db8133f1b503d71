"""Internet mail, single messages and mailboxes: headers, text and attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import cast

from raglive.extraction.model import ReaderOutput, Table
from raglive.extraction.readers.html import html_to_text
from raglive.extraction.readers.nested_files import Attached, NestedFileReader, add_attachments
from raglive.extraction.text_encoding import decode
from raglive.extraction.text_normalisation import one_line

__all__ = ["read_mail", "read_mailbox"]

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ALTERNATIVES = {"text/plain", "text/html"}
_ENVELOPE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d\d:\d\d[^\n]*\n")
_QUOTED_ENVELOPE = re.compile(rb"(?m)^>(?=>*From )")
_WORD = re.compile(r"\w+")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def read_mail(data: bytes, _name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read an RFC 822 message and its attachments, including other messages."""
    return _read_message(message_from_bytes(_readable(data), policy=policy.default), nested)


def read_mailbox(data: bytes, name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read the messages of a mailbox (mbox), one after the other."""
    parts: list[str] = []
    tables: list[Table] = []
    for message in filter(None, _ENVELOPE.split(data)):
        draft = read_mail(_QUOTED_ENVELOPE.sub(b"", message), name, nested)
        parts += draft.parts
        tables += draft.tables
    return ReaderOutput(parts, tables=tuple(tables))


def _readable(data: bytes) -> bytes:
    """Convert headers of an undeclared encoding to UTF-8."""
    end = _END_OF_HEADERS.search(data)
    head = data[: end.start()] if end else data
    if head.isascii():
        return data
    return decode(head).encode() + data[len(head) :]


def _read_message(message: EmailMessage, nested: NestedFileReader) -> ReaderOutput:
    headers = "\n".join(_headers(message))
    body = _body(message)
    text = "" if body is None else _text(body)
    draft = ReaderOutput([headers, text], title=_header(message, "Subject") or None)
    add_attachments(draft, _attached(message, body, nested))
    return draft


def _headers(message: EmailMessage) -> Iterator[str]:
    for name in _HEADERS:
        value = _header(message, name)
        if value:
            yield f"{name}: {value}"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(str(message[name] or ""), 2_000)
    except (
        ValueError,
        LookupError,
        IndexError,
        AttributeError,
    ):  # exceptions of the email package's parsers
        return ""


def _body(message: EmailMessage) -> EmailMessage | None:
    """Return the part to show as the message: plain text, unless it only stands for the HTML."""
    kinds = (message.get_body((kind,)) for kind in ("plain", "html"))
    found = [cast("EmailMessage", part) for part in kinds if part is not None]
    if not found and message.get_content_maintype() == "multipart" and not message.is_multipart():
        return message  # multipart without a boundary
    if len(found) > 1 and _is_placeholder(*map(_text, found)):
        found.reverse()
    return next(filter(_text, found), None)


def _is_placeholder(plain: str, html: str) -> bool:
    """Check for plain text that is far shorter than the HTML, or says something else."""
    words, shown = _WORD.findall(plain.lower()), _WORD.findall(html.lower())
    if len(shown) > 3 * len(words):
        return True
    common = len(set(words) & set(shown))
    return len(shown) > len(words) // 2 and common < len(set(words)) // 2


def _text(part: EmailMessage) -> str:
    text = decode(_payload(part), part.get_content_charset())
    return html_to_text(text)[0] if part.get_content_type() == "text/html" else text.strip()


def _attached(
    message: EmailMessage, body: EmailMessage | None, nested: NestedFileReader
) -> Iterator[Attached]:
    for part in _parts(message, body):
        name = _attachment_name(part)
        inner = _inner_messages(part)
        if _is_inline_text(part):
            yield "", partial(_read_text, part)
        elif not inner:
            yield name, partial(nested.read, _payload(part), name, part.get_content_type())
        elif part.get_content_type() == "message/rfc822":
            yield name, partial(nested.enter, name, partial(_read_message, inner[0], nested))
        else:
            yield name, partial(_read_report, inner)


def _read_text(part: EmailMessage) -> ReaderOutput:
    return ReaderOutput([_text(part)])


def _read_report(inner: list[EmailMessage]) -> ReaderOutput:
    """Read a delivery report, which consists only of headers."""
    return ReaderOutput(
        ["\n".join(f"{name}: {value}" for name, value in m.raw_items()) for m in inner]
    )


def _parts(message: EmailMessage, body: EmailMessage | None) -> Iterator[EmailMessage]:
    """Yield the parts other than the body, with only one text of each set of alternatives."""
    waiting = [(message, False)]
    chosen = body
    while waiting:
        part, is_alternative = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            if part.get_content_subtype() == "alternative":
                is_alternative = True
                if not any(inner is body for inner in part.walk()):
                    chosen = _body(part)
            inside = cast("list[EmailMessage]", part.get_payload())
            waiting += [(inner, is_alternative) for inner in reversed(inside)]
        elif part is not body and (
            part is chosen or not (is_alternative and _is_inline_text(part))
        ):
            yield part


def _is_inline_text(part: EmailMessage) -> bool:
    return part.get_content_type() in _ALTERNATIVES and not part.get_filename()


def _attachment_name(part: EmailMessage) -> str:
    inner = _inner_messages(part)
    if inner and part.get_content_type() == "message/rfc822" and not part.get_filename():
        return f"{_header(inner[0], 'Subject') or 'message'}.eml"
    return one_line(part.get_filename() or part.get_content_type(), 255)


def _inner_messages(part: EmailMessage) -> list[EmailMessage]:
    is_message = part.get_content_maintype() == "message" and part.is_multipart()
    return cast("list[EmailMessage]", part.get_payload()) if is_message else []


def _payload(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
