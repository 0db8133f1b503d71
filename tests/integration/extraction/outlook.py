"""Creates Outlook mails in memory: a writer of compound files, and the properties of mails."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

Tree: TypeAlias = "dict[str, bytes | Tree]"

SECTOR, MINI_SECTOR, MINI_STREAM_LIMIT = 512, 64, 4096
NOTHING, END, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5


@dataclass
class Chains:
    """Streams in sectors, and the table that says which sector follows which."""

    size: int
    data: bytearray = field(default_factory=bytearray)
    table: list[int] = field(default_factory=list)

    def add(self, content: bytes) -> int:
        """Append a stream; return its first sector."""
        first, count = len(self.table), -(-len(content) // self.size)
        if not count:
            return END
        self.data += content.ljust(count * self.size, b"\0")
        self.table += [*range(first + 1, first + count), END]
        return first


class Writer:
    def __init__(self) -> None:
        self.sectors, self.mini = Chains(SECTOR), Chains(MINI_SECTOR)
        self.entries: list[list[int | bytes]] = []

    def write(self, root: Tree) -> bytes:
        self.add("Root Entry", root, ROOT)
        self.entries[0][5:] = [self.sectors.add(bytes(self.mini.data)), len(self.mini.data)]
        mini_table = b"".join(struct.pack("<I", next_) for next_ in self.mini.table)
        padded = mini_table.ljust(-(-len(mini_table) // SECTOR) * SECTOR, b"\xff")
        first_mini = self.sectors.add(padded)
        first_entry = self.sectors.add(b"".join(map(packed_entry, self.entries)))
        return self.finished(first_entry, first_mini, len(padded) // SECTOR)

    def finished(self, first_entry: int, first_mini: int, mini_count: int) -> bytes:
        used, count = len(self.sectors.table), 0
        while count * SECTOR // 4 < used + count:
            count += 1
        assert count <= 109, "larger files need more tables than this writer writes"
        table = [*self.sectors.table, *[FAT_SECTOR] * count]
        table += [NOTHING] * (count * SECTOR // 4 - len(table))
        places = [*range(used, used + count), *[NOTHING] * (109 - count)]
        start = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, count)
        rest = (first_entry, 0, MINI_STREAM_LIMIT, first_mini, mini_count, END, 0)
        header = struct.pack("<8s16s5H6s9I", *start, *rest) + struct.pack("<109I", *places)
        return header + bytes(self.sectors.data) + struct.pack(f"<{len(table)}I", *table)

    def add(self, name: str, node: bytes | Tree, kind: int) -> int:
        entry: list[int | bytes] = [name.encode("utf-16-le"), kind, NOTHING, NOTHING, NOTHING, 0, 0]
        self.entries.append(entry)
        number = len(self.entries) - 1
        if isinstance(node, bytes):
            chains = self.mini if len(node) < MINI_STREAM_LIMIT else self.sectors
            entry[5:] = [chains.add(node), len(node)]
        else:
            entry[4] = self.add_all(sorted(node.items(), key=lambda item: (len(item[0]), item[0])))
        return number

    def add_all(self, items: Sequence[tuple[str, bytes | Tree]]) -> int:
        """Add entries as a balanced tree; return the number of its root."""
        if not items:
            return NOTHING
        middle = len(items) // 2
        name, node = items[middle]
        number = self.add(name, node, STREAM if isinstance(node, bytes) else STORAGE)
        self.entries[number][2] = self.add_all(items[:middle])
        self.entries[number][3] = self.add_all(items[middle + 1 :])
        return number


def packed_entry(entry: list[int | bytes]) -> bytes:
    name, kind, left, right, child, first, size = entry
    assert isinstance(name, bytes)
    start = struct.pack("<64sHBB3I", name, len(name) + 2, kind, 1, left, right, child)
    return start + bytes(36) + struct.pack("<IQ", first, size)


def compound(root: Tree) -> bytes:
    return Writer().write(root)


def item(
    header: bytes,
    texts: dict[int, str] | None = None,
    *,
    numbers: dict[int, int] | None = None,
    times: dict[int, datetime] | None = None,
    data: dict[int, bytes] | None = None,
    encoding: str = "",
) -> Tree:
    """An item with its properties; texts are Unicode unless an `encoding` is given."""
    kind, codec = (0x1E, encoding) if encoding else (0x1F, "utf-16-le")
    streams = {(n, kind): text.encode(codec) for n, text in (texts or {}).items()}
    streams |= {(n, 0x102): content for n, content in (data or {}).items()}
    fixed = {(n, 0x3): value for n, value in (numbers or {}).items()}
    fixed |= {(n, 0x40): file_time(moment) for n, moment in (times or {}).items()}
    fixed |= {key: len(content) for key, content in streams.items()}
    entries = (struct.pack("<HHIQ", k, n, 6, value) for (n, k), value in fixed.items())
    return {
        "__properties_version1.0": header + b"".join(entries),
        **{f"__substg1.0_{n:04X}{k:04X}": content for (n, k), content in streams.items()},
    }


def file_time(moment: datetime) -> int:
    return int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


def mail(
    texts: dict[int, str] | None = None,
    *,
    attached: Sequence[Tree] = (),
    recipients: Sequence[tuple[int, str, str]] = (),
    is_inner: bool = False,
    sent: datetime | None = None,
    code_page: int | None = None,
    data: dict[int, bytes] | None = None,
    encoding: str = "",
) -> Tree:
    """A mail. `recipients`: role (1: to, 2: copied), name, address."""
    numbers = {0x3FFD: code_page} if code_page else {}
    times = {0x0039: sent} if sent else {}
    counts = (len(recipients), len(attached))
    header = struct.pack("<8x4I", *counts, *counts) + bytes(0 if is_inner else 8)
    made = item(header, texts, numbers=numbers, times=times, data=data, encoding=encoding)
    for i, (role, name, address) in enumerate(recipients):
        who = item(bytes(8), {0x3001: name, 0x39FE: address}, numbers={0x0C15: role})
        made[f"__recip_version1.0_#{i:08X}"] = who
    return made | {f"__attach_version1.0_#{i:08X}": one for i, one in enumerate(attached)}


def file(name: str, content: bytes, mime_type: str = "") -> Tree:
    """A file as it is attached."""
    texts = {0x3707: name, 0x370E: mime_type}
    return item(
        bytes(8), {n: t for n, t in texts.items() if t}, numbers={0x3705: 1}, data={0x3701: content}
    )


def inner_mail(made: Tree) -> Tree:
    """A mail as it is attached."""
    return item(bytes(8), numbers={0x3705: 5}) | {"__substg1.0_3701000D": made}


def link(name: str) -> Tree:
    """What is attached by its address alone."""
    return item(bytes(8), {0x3707: name, 0x370D: f"//server/{name}"}, numbers={0x3705: 2})
