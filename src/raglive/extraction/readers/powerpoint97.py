"""PowerPoint 97 to 2003: the slides of the last save, each with its notes.

kreuzberg would return every text in the file, including those of masters and of earlier saves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from raglive.extraction.model import ReaderOutput, Refusal
from raglive.extraction.readers.kreuzberg_adapter import convert
from raglive.extraction.readers.ole_container import CompoundFile
from raglive.extraction.readers.password_protection import refuse_protected

__all__ = ["read_ppt"]

_MIME_TYPE = "application/vnd.ms-powerpoint"
_HEADER = struct.Struct("<HHI")
_IS_CONTAINER = 0x000F
_USER_EDIT, _PERSIST_DIRECTORY = 0x0FF5, 0x1772
_LIST, _LISTED, _SLIDE = 0x0FF0, 0x03F3, 0x03EF
_TEXT_KIND, _TEXT_WIDE, _TEXT_NARROW, _TEXT_ABOVE = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E
_SLIDES, _NOTES = 0, 2  # numbers of the lists; number 1 lists the masters
_TITLES = {0, 6}
_MOST_EDITS = 10_000
_FIELD = "*"  # the placeholder of a slide number or a date


class _Record(NamedTuple):
    instance: int
    kind: int
    start: int
    end: int
    is_container: bool


@dataclass
class _Listed:
    """A slide or its notes: its offset in the file, and the texts that the list contains."""

    place: int
    texts: list[str] = field(default_factory=list)


def read_ppt(data: bytes, _name: str) -> ReaderOutput:
    """Read a presentation slide by slide, in the order of the show."""
    refuse_protected(data)
    try:
        with CompoundFile(data) as file:
            document = file.read(("PowerPoint Document",)) or b""
            user = file.read(("Current User",)) or b""
        slides = _Show(document).slides(struct.unpack_from("<I", user, 16)[0])
    except (Refusal, struct.error, LookupError):
        slides = []
    try:
        result = convert(data, _MIME_TYPE)
    except Refusal:
        if any(slides):
            return ReaderOutput(slides, paged=True, is_markdown=True)
        raise
    title = result.metadata.get("title")
    if any(slides):
        return ReaderOutput(slides, paged=True, is_markdown=True, title=title)
    return ReaderOutput([result.content], title=title)


class _Show:
    """The records of a presentation. Raises `struct.error` and `LookupError` if damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._places: dict[int, int] = {}

    def slides(self, last_edit: int) -> list[str]:
        """Return the text of each slide; `last_edit` is the offset of the last save."""
        document = self._record(self._places[self._read_edits(last_edit)])
        lists = {r.instance: r for r in self._inside(document) if r.kind == _LIST}
        notes = self._listed(lists[_NOTES]) if _NOTES in lists else {}
        slides = self._listed(lists[_SLIDES]) if _SLIDES in lists else {}
        once = {slide.place: slide for slide in slides.values()}
        return ["\n\n".join(self._slide(slide, notes)) for slide in once.values()]

    def _read_edits(self, place: int) -> int:
        """Read the offsets of all objects, newest first, and return the number of the document."""
        documents: list[int] = []
        for _ in range(_MOST_EDITS):
            edit = self._record(place)
            if edit.kind != _USER_EDIT:
                raise LookupError(place)
            before, directory, document = struct.unpack_from("<3I", self._data, edit.start + 8)
            documents.append(document)
            self._read_directory(self._record(directory))
            if not 0 < before < place:
                break
            place = before
        return documents[0]

    def _read_directory(self, directory: _Record) -> None:
        if directory.kind != _PERSIST_DIRECTORY or (directory.end - directory.start) % 4:
            raise LookupError(directory.start)
        words = struct.iter_unpack("<I", self._data[directory.start : directory.end])
        numbers = (number for (number,) in words)
        for head in numbers:
            first, count = head & 0xFFFFF, head >> 20
            for number, place in zip(range(first, first + count), numbers, strict=False):
                self._places.setdefault(number, place)

    def _listed(self, of: _Record) -> dict[int, _Listed]:
        found: dict[int, _Listed] = {}
        one = _Listed(0)
        is_title = False
        for record in self._inside(of):
            if record.kind == _LISTED:
                number, _, _, identity = struct.unpack_from("<4I", self._data, record.start)
                found[identity] = one = _Listed(self._places[number])
            elif record.kind == _TEXT_KIND:
                is_title = self._number(record) in _TITLES
            elif record.kind in {_TEXT_WIDE, _TEXT_NARROW}:
                one.texts.append(self._text(record, is_title=is_title))
        return found

    def _slide(self, slide: _Listed, notes: dict[int, _Listed]) -> Iterator[str]:
        root = self._record(slide.place)
        shown = list(self._shown(root, slide.texts))
        yield from [text for text in slide.texts if text and text not in shown]
        yield from shown
        for record in self._inside(root):
            if record.kind == _SLIDE:
                identity = struct.unpack_from("<I", self._data, record.start + 16)[0]
                spoken = notes.get(identity)
                said = list(self._shown(self._record(spoken.place), [])) if spoken else []
                yield from ["Notes:", *said] if said else []

    def _shown(self, root: _Record, above: list[str]) -> Iterator[str]:
        is_title = False
        for record in self._all(root):
            text = ""
            if record.kind == _TEXT_KIND:
                is_title = self._number(record) in _TITLES
            elif record.kind in {_TEXT_WIDE, _TEXT_NARROW}:
                text = self._text(record, is_title=is_title)
            elif record.kind == _TEXT_ABOVE and self._number(record) < len(above):
                text = above[self._number(record)]
            yield from [text] if text else []

    def _all(self, root: _Record) -> Iterator[_Record]:
        """Yield the leaf records within a record, in their order."""
        waiting = [root]
        while waiting:
            record = waiting.pop()
            if record.is_container:
                waiting += reversed(list(self._inside(record)))
            else:
                yield record

    def _inside(self, of: _Record) -> Iterator[_Record]:
        place = of.start
        while place + _HEADER.size <= of.end:
            record = self._record(place)
            yield record._replace(end=min(record.end, of.end))
            place = record.end

    def _record(self, place: int) -> _Record:
        version, kind, size = _HEADER.unpack_from(self._data, place)
        start = place + _HEADER.size
        end = min(start + size, len(self._data))
        return _Record(version >> 4, kind, start, end, version & _IS_CONTAINER == _IS_CONTAINER)

    def _number(self, record: _Record) -> int:
        return int(struct.unpack_from("<I", self._data, record.start)[0])

    def _text(self, record: _Record, *, is_title: bool) -> str:
        encoding = "utf-16-le" if record.kind == _TEXT_WIDE else "latin-1"
        text = self._data[record.start : record.end].decode(encoding, "replace").strip()
        if is_title and text:
            return f"# {' '.join(text.split())}"
        return "" if text == _FIELD else text
