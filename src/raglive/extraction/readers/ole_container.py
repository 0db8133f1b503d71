"""OLE compound files, the containers of Outlook mails and of Office 97 to 2003 documents."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import olefile

from raglive.extraction.model import failed
from raglive_contract.errors import ErrorCode

__all__ = ["CompoundFile", "Path"]

Path = tuple[str, ...]

_TABLE_LENGTHS = (44, 64, 72)  # offsets of the numbers of sectors of each table in the header
_SMALLEST_SECTOR_BYTES = 512
_MAX_READ_FACTOR = 2  # of the file's size; streams do not overlap in an intact file


class CompoundFile:
    """A tree of storages and streams. Every method raises `Refusal` if the file is damaged."""

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._left = _MAX_READ_FACTOR * len(data)
        with _refusing_damage():
            _require_sane_header(data)
            self._file: Any = olefile.OleFileIO(
                BytesIO(data), raise_defects=olefile.DEFECT_INCORRECT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def names(self, storage: Path = ()) -> list[str]:
        """Return the names in a storage, in their order; an empty list if it does not exist."""
        entry = self._entry(storage)
        return [kid.name for kid in entry.kids] if entry else []

    def read(self, stream: Path) -> bytes | None:
        """Return the content of a stream, None if it does not exist."""
        entry = self._entry(stream)
        if entry is None or entry.entry_type != olefile.STGTY_STREAM:
            return None
        if not entry.size:
            return b""
        self._left -= entry.size
        if self._left < 0:
            raise failed(ErrorCode.EXTRACTION_ERROR, "The file is damaged: its streams overlap.")
        with _refusing_damage():
            return bytes(self._file.openstream(list(stream)).read())

    def _entry(self, path: Path) -> Any:
        entry = self._file.root
        for name in path:
            entry = entry.kids_dict.get(name.lower())
            if entry is None:
                return None
        return entry


def _require_sane_header(data: bytes) -> None:
    """Reject tables that are longer than the file, which olefile would try to read."""
    for offset in _TABLE_LENGTHS:
        if struct.unpack_from("<I", data, offset)[0] * _SMALLEST_SECTOR_BYTES > len(data):
            raise OSError("its tables are longer than the file")


@contextmanager
def _refusing_damage() -> Iterator[None]:
    """Convert the various exceptions of olefile for damaged files to a refusal."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise failed(ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {reason[:300]}.") from error
