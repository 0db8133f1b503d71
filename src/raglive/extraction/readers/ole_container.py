"""CompoundFile files (OLE): what holds the mails of Outlook and older documents of Office."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import olefile

from raglive.extraction.model import failed

__all__ = ["CompoundFile", "Path"]

Path = tuple[str, ...]

_TABLE_LENGTHS = (44, 64, 72)  # where the header says how many sectors each of its tables has
_SMALLEST_SECTOR_BYTES = 512
_TIMES_READ = 2  # streams lie side by side, so that all of them are no longer than the file


class CompoundFile:
    """A compound file: storages, which hold storages and streams. Raises `Refusal` if damaged."""

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._left = _TIMES_READ * len(data)
        with _damage_told():
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
        """Return the names of what a storage holds, in their order; nothing if it is missing."""
        entry = self._entry(storage)
        return [kid.name for kid in entry.kids] if entry else []

    def read(self, stream: Path) -> bytes | None:
        """Return the bytes of a stream, None if there is none."""
        entry = self._entry(stream)
        if entry is None or entry.entry_type != olefile.STGTY_STREAM:
            return None
        if not entry.size:
            return b""
        self._left -= entry.size
        if self._left < 0:
            raise failed("extraction_error", "The file is damaged: its streams overlap.")
        with _damage_told():
            return bytes(self._file.openstream(list(stream)).read())

    def _entry(self, path: Path) -> Any:
        entry = self._file.root
        for name in path:
            entry = entry.kids_dict.get(name.lower())
            if entry is None:
                return None
        return entry


def _require_sane_header(data: bytes) -> None:
    """Refuse tables longer than the file: olefile would read them for as long as they claim."""
    for offset in _TABLE_LENGTHS:
        if struct.unpack_from("<I", data, offset)[0] * _SMALLEST_SECTOR_BYTES > len(data):
            raise OSError("its tables are longer than the file")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn the errors, of many kinds, that olefile raises on what is damaged into a refusal."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise failed("extraction_error", f"The file is damaged: {reason[:300]}.") from error
