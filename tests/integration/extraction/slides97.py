"""Creates PowerPoint 97 presentations in memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tests.integration.extraction import outlook

DOCUMENT, SLIDE, SLIDE_ATOM, NOTES, DRAWING, TEXTBOX = 0x3E8, 0x3EE, 0x3EF, 0x3F0, 0x40C, 0xF00D
LIST, LISTED, TEXT_KIND, WIDE, NARROW, ABOVE = 0xFF0, 0x3F3, 0xF9F, 0xFA0, 0xFA8, 0xF9E
DIRECTORY, EDIT = 0x1772, 0xFF5
TITLE, OTHER = 0, 4


def record(kind: int, content: bytes, instance: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4, kind, len(content)) + content


def container(kind: int, *inside: bytes, instance: int = 0) -> bytes:
    content = b"".join(inside)
    return struct.pack("<HHI", instance << 4 | 0xF, kind, len(content)) + content


def number(kind: int, value: int) -> bytes:
    return record(kind, struct.pack("<I", value))


def text(kind: int, value: str) -> bytes:
    is_narrow = value.isascii()
    encoded = value.encode("latin-1" if is_narrow else "utf-16-le")
    return number(TEXT_KIND, kind) + record(NARROW if is_narrow else WIDE, encoded)


def slide(body: str, notes_id: int) -> bytes:
    """A slide that takes its title from the list, and has a text box and a number's field."""
    atom = record(SLIDE_ATOM, bytes(16) + struct.pack("<II", notes_id, 0))
    boxes = (number(ABOVE, 0), text(OTHER, body), text(OTHER, "*"))
    return container(SLIDE, atom, container(DRAWING, *(container(TEXTBOX, box) for box in boxes)))


def ppt(slides: Sequence[tuple[str, str, str]], before: str = "") -> bytes:
    """Slides of a title, a text and notes each; `before`: the first text in an older save."""
    count = len(slides)
    listed = (
        record(LISTED, struct.pack("<5I", 2 + i, 0, 1, 256 + i, 0)) + text(TITLE, title)
        for i, (title, _, _) in enumerate(slides)
    )
    spoken = (
        record(LISTED, struct.pack("<5I", 2 + count + i, 0, 0, 512 + i, 0)) for i in range(count)
    )
    masters = container(LIST, text(TITLE, "Click to edit the master"), instance=1)
    document = container(
        DOCUMENT, masters, container(LIST, *listed), container(LIST, *spoken, instance=2)
    )
    parts = [document, *(slide(body, 512 + i) for i, (_, body, _) in enumerate(slides))]
    parts += [container(NOTES, container(DRAWING, text(2, notes))) for _, _, notes in slides]
    stream, edit = saved(b"", parts if not before else [document, slide(before, 0), *parts[2:]], 1)
    if before:
        stream, edit = saved(stream, [parts[1]], 2, edit)
    user = bytes(12) + b"\x5f\xc0\x91\xe3" + struct.pack("<I", edit)
    return outlook.compound(
        {"PowerPoint Document": stream.ljust(5_000, b"\0"), "Current User": user}
    )


def saved(stream: bytes, parts: Sequence[bytes], first: int, before: int = 0) -> tuple[bytes, int]:
    """Append a save of parts with numbers from `first`; return the stream, and where it begins."""
    places = []
    for part in parts:
        places.append(len(stream))
        stream += part
    head = struct.pack("<I", first | len(parts) << 20)
    directory = len(stream)
    stream += record(DIRECTORY, head + struct.pack(f"<{len(places)}I", *places))
    edit = len(stream)
    return stream + record(EDIT, struct.pack("<7I", 0, 0, before, directory, 1, 0, 0)), edit
