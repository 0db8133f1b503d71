"""Limits for files within a file: attachments of mails and members of archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice

from raglive.extraction.model import ReaderOutput, Refusal, Table

__all__ = ["Attached", "DecompressionBomb", "NestedFileReader", "add_attachments"]

MAX_DEPTH = 4
MAX_FILES = 2_000
MAX_UNPACKED_BYTES = 256 << 20  # of all files together
MAX_COMPRESSION_RATIO = 200  # text compresses to a tenth, rarely to a hundredth
RATIO_APPLIES_FROM_BYTES = 8 << 20
MAX_ATTACHMENTS = 100

ReadInner = Callable[[bytes, str, str | None, "NestedFileReader"], ReaderOutput]


class DecompressionBomb(Refusal):
    """A file that unpacks to more data or more files than the limits allow."""

    def __init__(self, message: str) -> None:
        super().__init__("skipped", "too_large", message)


@dataclass(slots=True)
class _Allowance:
    files: int = MAX_FILES
    size: int = MAX_UNPACKED_BYTES


class NestedFileReader:
    """Reads files within a file, which share one set of limits at any depth."""

    def __init__(self, read_inner: ReadInner) -> None:
        self._read_inner = read_inner
        self._left = _Allowance()
        self._depth = 0

    def count_unpacked(self, block: int, size: int, packed: int) -> None:
        """Count a block of an inner file, of `size` bytes so far. Raises `DecompressionBomb`."""
        self._left.size -= block
        if self._left.size < 0:
            raise DecompressionBomb(
                f"The file unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB."
            )
        if size > RATIO_APPLIES_FROM_BYTES and size > MAX_COMPRESSION_RATIO * max(1, packed):
            raise DecompressionBomb(
                f"The file unpacks to more than {MAX_COMPRESSION_RATIO} times its size."
            )

    def read(self, data: bytes, name: str, declared: str | None = None) -> ReaderOutput:
        """Read an inner file, and prefix its tables with its name. Raises `Refusal`."""
        return self.enter(name, lambda: self._read_inner(data, name, declared, self))

    def enter(self, name: str, read: Callable[[], ReaderOutput]) -> ReaderOutput:
        """Count an inner file that is not stored as bytes, and read it with a function."""
        self._left.files -= 1
        if self._left.files < 0:
            raise DecompressionBomb(f"The file contains more than {MAX_FILES:,} files.")
        if self._depth >= MAX_DEPTH:
            raise DecompressionBomb(
                f"The file contains archives within archives, more than {MAX_DEPTH} deep."
            )
        self._depth += 1
        try:
            draft = read()
        finally:
            self._depth -= 1
        draft.tables = tuple(_named(table, name) for table in draft.tables)
        return draft


def _named(table: Table, name: str) -> Table:
    return table if table.name == name else replace(table, name=f"{name}: {table.name}")


Attached = tuple[str, Callable[[], ReaderOutput]]
"""A name ("" for text that is not a file) and a function that reads the attachment."""


def add_attachments(draft: ReaderOutput, attached: Iterable[Attached]) -> None:
    """Add text and tables of the attachments; one that cannot be read is only mentioned."""
    tables: list[Table] = [*draft.tables]
    rest = iter(attached)
    for name, read in islice(rest, MAX_ATTACHMENTS):
        try:
            inner = read()
        except Refusal as refusal:
            draft.parts.append(f"Attachment: {name} ({refusal.code.replace('_', ' ')})")
            continue
        draft.parts += [f"Attachment: {name}"] if name else []
        draft.parts += inner.parts
        tables += inner.tables
    draft.parts += [f"Attachment: {name or 'text'} (not read)" for name, _ in rest]
    draft.tables = tuple(tables)
