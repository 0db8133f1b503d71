"""Archives and compressed files, within limits that stop decompression bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import IO, Any

from raglive.extraction.model import ReaderOutput, Refusal, Table, failed, skipped
from raglive.extraction.readers.nested_files import DecompressionBomb, NestedFileReader
from raglive.extraction.readers.zip_container import DAMAGE_ERRORS, describe_damage
from raglive.extraction.text_encoding import decode
from raglive.extraction.text_normalisation import one_line
from raglive_contract.errors import ErrorCode

__all__ = ["COMPRESSIONS", "read_compressed", "read_tar", "read_zip"]

_BLOCK_BYTES = 1 << 20
_NAME_IS_UTF8 = 0x800
_WESTERN_LETTERS = frozenset("ÄÅÆÇÉÑÖÜßàáâäåæçèéêëìíîïñòóôöùúûüÿ")
_IGNORED_NAMES = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
COMPRESSIONS: dict[str, Callable[[IO[bytes]], Any]] = {
    "application/gzip": gzip.open,
    "application/x-bzip2": bz2.open,
    "application/x-xz": lzma.open,
}

Member = tuple[str, Callable[[], bytes]]


def read_zip(data: bytes, _name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read the files of a zip archive."""

    def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        try:
            with archive.open(member) as part:
                return _bounded(part, member.compress_size, nested)
        except DAMAGE_ERRORS as error:
            raise failed(
                ErrorCode.EXTRACTION_ERROR, f"{member.filename} is damaged: {error}."
            ) from error
        except RuntimeError as error:  # "is encrypted, password required"
            raise skipped(ErrorCode.ENCRYPTED, "The archive is protected by a password.") from error

    def members() -> Iterator[Member]:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    yield _decoded_name(member), lambda m=member: unpack(archive, m)  # type: ignore[misc]

    return _read_all(members(), nested)


def _decoded_name(member: zipfile.ZipInfo) -> str:
    """Return the name in its most likely encoding, which old archives do not state."""
    if member.flag_bits & _NAME_IS_UTF8 or member.filename.isascii():
        return member.filename
    try:
        data = member.filename.encode("cp437")  # the encoding that Python assumed
    except UnicodeEncodeError:
        return member.filename
    is_sensible = all(c.isascii() or c in _WESTERN_LETTERS for c in member.filename)
    return decode(data, "cp437" if is_sensible else None)


def read_tar(data: bytes, _name: str, nested: NestedFileReader) -> ReaderOutput:
    """Read the files of a tar archive; links and devices are ignored."""

    def members() -> Iterator[Member]:
        with tarfile.open(fileobj=BytesIO(data), mode="r:") as archive:
            for member in archive:
                part = archive.extractfile(member) if member.isreg() else None
                if part is not None:
                    name = decode(member.name.encode("utf-8", "surrogateescape"))
                    yield name, lambda p=part: _bounded(p, len(data), nested)  # type: ignore[misc]

    return _read_all(members(), nested)


def read_compressed(
    data: bytes, name: str, nested: NestedFileReader, mime_type: str
) -> ReaderOutput:
    """Read a single compressed file, which may be a tar archive."""
    try:
        with COMPRESSIONS[mime_type](BytesIO(data)) as part:
            content = _bounded(part, len(data), nested)
    except DAMAGE_ERRORS as error:
        raise failed(ErrorCode.EXTRACTION_ERROR, f"The file is damaged: {error}.") from error
    path = PurePosixPath(name)
    inner = path.stem + (".tar" if path.suffix.lower() in {".tgz", ".tbz2", ".txz"} else "")
    return nested.read(content, inner)


def _bounded(part: IO[bytes], packed: int, nested: NestedFileReader) -> bytes:
    """Unpack in blocks, so that a decompression bomb is detected before it fills the memory."""
    blocks: list[bytes] = []
    size = 0
    while block := part.read(_BLOCK_BYTES):
        blocks.append(block)
        size += len(block)
        nested.count_unpacked(len(block), size, packed)
    return b"".join(blocks)


def _read_all(members: Iterable[Member], nested: NestedFileReader) -> ReaderOutput:
    parts: list[str] = []
    tables: list[Table] = []
    found = 0
    refusals: list[Refusal] = []
    try:
        for name, unpack in members:
            if _IGNORED_NAMES.intersection(PurePosixPath(name).parts):
                continue
            shown = one_line(name, 1_000)
            found += 1
            try:
                draft = nested.read(unpack(), name)
            except DecompressionBomb:
                raise
            except Refusal as refusal:
                refusals.append(refusal)
                parts.append(f"# {shown}\n\n({refusal.code.replace('_', ' ')})")
                continue
            parts += [f"# {shown}", *draft.parts]
            tables += draft.tables
    except DAMAGE_ERRORS as error:
        raise failed(
            ErrorCode.EXTRACTION_ERROR, f"The archive is damaged: {describe_damage(error)}."
        ) from error
    if found == len(refusals):
        raise _nothing_in(refusals)
    return ReaderOutput(parts, tables=tuple(tables), is_markdown=True)


def _nothing_in(refusals: list[Refusal]) -> Refusal:
    if not refusals:
        return skipped(ErrorCode.EMPTY, "The archive contains no files.")
    broken = next((refusal for refusal in refusals if refusal.outcome == "failed"), None)
    if broken:
        message = f"No file in the archive can be read; of the first: {broken.message}"
        return failed(ErrorCode.EXTRACTION_ERROR, message)
    codes = {refusal.code for refusal in refusals}
    if codes == {"encrypted"}:
        return skipped(ErrorCode.ENCRYPTED, "The archive is protected by a password.")
    return skipped(ErrorCode.NO_TEXT, "No file in the archive contains text that can be indexed.")
