"""Zip containers of documents, read within a size limit."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from io import BytesIO
from types import TracebackType
from typing import Self
from xml.etree import ElementTree

from raglive.extraction.model import failed, skipped
from raglive_contract.errors import ErrorCode

__all__ = ["DAMAGE_ERRORS", "ZipContainer", "describe_damage"]

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    OSError,
    OverflowError,
    ValueError,
    NotImplementedError,
)
"""The exceptions of Python's archive modules for damaged archives."""


def describe_damage(error: Exception) -> str:
    """Describe the damage; Python reports a truncated zip file as "not a zip file"."""
    return "its end is missing" if "not a zip file" in str(error) else str(error)


class ZipContainer:
    """The parts of a zipped document."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except DAMAGE_ERRORS as error:
            raise failed(
                ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {describe_damage(error)}."
            ) from error
        self.names = frozenset(self._zip.namelist())
        self._left = MAX_UNPACKED_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes | None:
        """Return the content of a part, None if it does not exist.

        Raises `Refusal` for damage, a password, and when all parts together exceed the limit.
        """
        if name not in self.names:
            return None
        try:
            with self._zip.open(name) as part:
                data = part.read(self._left + 1)
        except DAMAGE_ERRORS as error:
            raise failed(ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {error}.") from error
        except RuntimeError as error:  # "is encrypted, password required"
            raise skipped(ErrorCode.ENCRYPTED, "The file is protected by a password.") from error
        self._left -= len(data)
        if self._left < 0:
            raise skipped(ErrorCode.TOO_LARGE, "The file unpacks to more than 256 MiB.")
        return data

    def xml(self, name: str) -> ElementTree.Element | None:
        """Return the root of an XML part, None if it does not exist."""
        return self.parsed(name, self.read(name))

    def parsed(self, name: str, data: bytes | None) -> ElementTree.Element | None:
        """Return the root of the XML in `data`, the content of a part."""
        if data is None:
            return None
        try:
            return ElementTree.fromstring(data)  # noqa: S314 - expat >= 2.4.1 refuses entity bombs
        except (ElementTree.ParseError, LookupError, ValueError) as error:
            raise failed(
                ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {name}: {error}."
            ) from error
