"""Files within a file: what is attached to a mail, or packed into an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice

from raglive.extraction.model import ReaderOutput, Refusal, Table

__all__ = ["Attached", "DecompressionBomb", "NestedFileReader", "add_attachments"]

MOST_DEPTH = 4
MOST_FILES = 2_000
MOST_BYTES = 256 << 20  # unpacked, of all together
MOST_RATIO = 200  # of unpacked to packed; text packs to a tenth, rarely to a hundredth
HARMLESS_BYTES = 8 << 20  # whatever they were packed into

ReadInner = Callable[[bytes, str, str | None, "NestedFileReader"], ReaderOutput]


class DecompressionBomb(Refusal):
    """An archive that unpacks to more than is read of one file."""

    def __init__(self, message: str) -> None:
        super().__init__("skipped", "too_large", message)


@dataclass(slots=True)
class _Allowance:
    files: int = MOST_FILES
    size: int = MOST_BYTES


class NestedFileReader:
    """The limits that all files within one file share, however deep they lie."""

    def __init__(self, read_inner: ReadInner) -> None:
        self._read_inner = read_inner
        self._left = _Allowance()
        self._depth = 0

    def unpacked(self, block: int, size: int, packed: int) -> None:
        """Count a block of bytes of an inner file of `size` so far. Raises `DecompressionBomb`."""
        self._left.size -= block
        if self._left.size < 0:
            raise DecompressionBomb(f"The file unpacks to more than {MOST_BYTES >> 20} MiB.")
        if size > HARMLESS_BYTES and size > MOST_RATIO * max(1, packed):
            raise DecompressionBomb(f"The file unpacks to more than {MOST_RATIO} times its size.")

    def read(self, data: bytes, name: str, declared: str | None = None) -> ReaderOutput:
        """Read a file within the file, its tables named after it. Raises `Refusal`."""
        return self.enter(name, lambda: self._read_inner(data, name, declared, self))

    def enter(self, name: str, read: Callable[[], ReaderOutput]) -> ReaderOutput:
        """Do the same with what is a file, but lies there in another form."""
        self._left.files -= 1
        if self._left.files < 0:
            raise DecompressionBomb(f"The file holds more than {MOST_FILES:,} files.")
        if self._depth >= MOST_DEPTH:
            raise DecompressionBomb(
                f"The file holds archives within archives, more than {MOST_DEPTH} deep."
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
"""A name, "" for text that is no file, and how to read what goes by it."""

_MOST = 100


def add_attachments(draft: ReaderOutput, attached: Iterable[Attached]) -> None:
    """Add text and tables of what is attached; what cannot be read costs itself alone."""
    tables: list[Table] = [*draft.tables]
    rest = iter(attached)
    for name, read in islice(rest, _MOST):
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
