"""Word documents as Markdown, including inline formulas, escaped characters and comments."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO

import kreuzberg

from raglive.extraction.mime_types import DOCX
from raglive.extraction.model import ReaderOutput
from raglive.extraction.readers.kreuzberg_adapter import COMMON_OPTIONS, convert
from raglive.extraction.readers.zip_container import ZipContainer

__all__ = ["read_docx"]

_MARKDOWN = kreuzberg.ExtractionConfig(**COMMON_OPTIONS, output_format="markdown")
_BODY = "word/document.xml"
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LINK = re.compile(r"!?\[((?:[^\[\]\\]|\\.)*)\]\((?:[^()\s\\]|\\.|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_FORMULA = re.compile(rb"<m:oMathPara\b.*?</m:oMathPara>|<m:oMath>.*?</m:oMath>", re.S)
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")
# kreuzberg 4.10 drops escaped characters, but keeps private use characters.
_STAND_INS = {meant: chr(0x10FF00 + ord(meant)) for meant in "&<>\"'"}
_MEANT = {ord(stand_in): meant for meant, stand_in in _STAND_INS.items()}
_FORMULA_TEXT = re.compile(rb"<m:t(?: [^>]*)?>([^<]*)</m:t>")


def read_docx(data: bytes, _name: str) -> ReaderOutput:
    """Read a Word document, with notes and comments at the end."""
    with ZipContainer(data) as archive:
        comments = _comments(archive)
        notes = list(_notes(archive))
        body = archive.read(_BODY) or b""
        needs_help = b"<m:oMath>" in body or b"&" in body
        readable = _rewritten(archive, body) if needs_help else data
    result = convert(readable, DOCX, _MARKDOWN)
    text = _ESCAPE.sub(r"\1", _LINK.sub(r"\1", result.content)).translate(_MEANT)
    known = "".join(text.split()) if notes else ""
    left_out = [
        f"- {note}"
        for number, note in notes
        if f"[^{number}]:" not in text and "".join(note.split()) not in known
    ]
    lists = (("Notes:", left_out), ("Comments:", comments))
    parts = [text, *("\n".join([name, *found]) for name, found in lists if found)]
    return ReaderOutput(parts, title=result.metadata.get("title"), is_markdown=True)


def _comments(archive: ZipContainer) -> list[str]:
    root = archive.xml("word/comments.xml")
    if root is None:
        return []
    texts = ("".join(t.text or "" for t in c.iter(f"{_WORD}t")) for c in root)
    return [f"- {text}" for text in texts if text.strip()]


def _notes(archive: ZipContainer) -> Iterator[tuple[str, str]]:
    """Yield number and text of foot- and endnotes, of which kreuzberg 4.10 omits some."""
    for part in ("word/footnotes.xml", "word/endnotes.xml"):
        root = archive.xml(part)
        for note in root if root is not None else ():
            text = " ".join("".join(t.text or "" for t in note.iter(f"{_WORD}t")).split())
            if text and not note.get(f"{_WORD}type"):
                yield note.get(f"{_WORD}id", ""), text


def _rewritten(archive: ZipContainer, body: bytes) -> bytes:
    """Return the document with the elements that kreuzberg would drop replaced by plain text."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as rewritten:
        for name in sorted(archive.names):
            if name != _BODY and not name.startswith("word/media/"):
                rewritten.writestr(name, archive.read(name) or b"")
        plain = _FORMULA.sub(_formula_as_text, body)
        rewritten.writestr(_BODY, _REFERENCE.sub(_stand_in, plain))
    return buffer.getvalue()


def _stand_in(found: re.Match[bytes]) -> bytes:
    meant = html.unescape(found[0].decode("ascii"))
    return _STAND_INS.get(meant, meant).encode()


def _formula_as_text(found: re.Match[bytes]) -> bytes:
    if found[0].startswith(b"<m:oMathPara"):
        return found[0]  # kreuzberg reads a formula on a line of its own as LaTeX
    text = b" ".join(_FORMULA_TEXT.findall(found[0]))
    return b'<w:r><w:t xml:space="preserve"> ' + text + b" </w:t></w:r>"
