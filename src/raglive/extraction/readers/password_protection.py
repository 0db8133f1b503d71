"""Detects password protection of Office 97 to 2003 documents, which kreuzberg does not report."""

from __future__ import annotations

import struct

from raglive.extraction.model import Refusal, skipped
from raglive.extraction.readers.ole_container import CompoundFile
from raglive_contract.errors import ErrorCode

__all__ = ["refuse_protected"]

_FIB_FLAGS, _FIB_IS_ENCRYPTED = 10, 0x0100
_PPT_TOKEN = slice(12, 16)
_PPT_IS_ENCRYPTED = b"\xdf\xc4\xd1\xf3"
_FILE_PASS = 0x002F
_RECORDS_BEFORE_FILE_PASS = 16


def refuse_protected(data: bytes) -> None:
    """Raise `Refusal` for a Word, PowerPoint or Excel document that needs a password."""
    try:
        with CompoundFile(data) as file:
            is_protected = _is_protected(file)
    except Refusal:
        return  # the document's own reader reports the damage
    if is_protected:
        raise skipped(ErrorCode.ENCRYPTED, "The document is protected by a password.")


def _is_protected(file: CompoundFile) -> bool:
    word = (file.read(("WordDocument",)) or b"")[_FIB_FLAGS : _FIB_FLAGS + 2]
    slides = (file.read(("Current User",)) or b"")[_PPT_TOKEN]
    workbook = file.read(("Workbook",)) or file.read(("Book",)) or b""
    return (
        bool(int.from_bytes(word, "little") & _FIB_IS_ENCRYPTED)
        or slides == _PPT_IS_ENCRYPTED
        or _has_file_pass(workbook)
    )


def _has_file_pass(workbook: bytes) -> bool:
    position = 0
    for _ in range(_RECORDS_BEFORE_FILE_PASS):
        if position + 4 > len(workbook):
            return False
        kind, size = struct.unpack_from("<HH", workbook, position)
        if kind == _FILE_PASS:
            return True
        position += 4 + size
    return False
