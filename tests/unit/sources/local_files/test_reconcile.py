from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.location import suffix_of
from raglive.sources.local_files.reconcile import Difference, reconcile
from raglive.sources.local_files.scan import ScannedFile
from raglive.store.registry.files import KnownFile

PLACES = [f"{folder}{name}" for folder in ("", "a/", "a/b/") for name in ("x", "y", "X", "z.txt")]
place = st.sampled_from(PLACES)


@dataclass
class Inode:
    number: int
    device: int
    size: int
    mtime: int
    content: int


@dataclass
class Disk:
    """A simulated file system that reuses freed inode numbers at once."""

    files: dict[str, Inode] = field(default_factory=dict)
    clock: int = 1000

    def write(self, at: str, size: int) -> None:
        self.clock += 1
        known = self.files.get(at)
        if known is None:
            known = self.files[at] = Inode(self.free_number(), 1, 0, 0, 0)
        known.size, known.mtime, known.content = size, self.clock, self.clock

    def free_number(self) -> int:
        used = {inode.number for inode in self.files.values()}
        return next(number for number in range(1, 1000) if number not in used)

    def replace(self, at: str, size: int) -> None:
        """Save as editors do: a new file replaces the old one."""
        self.clock += 1
        self.files[at] = Inode(self.free_number(), 1, size, self.clock, self.clock)

    def remove(self, at: str) -> None:
        self.files.pop(at, None)

    def rename(self, at: str, to: str) -> None:
        if at in self.files and at != to:
            self.files[to] = self.files.pop(at)

    def swap(self, one: str, other: str) -> None:
        if one in self.files and other in self.files:
            self.files[one], self.files[other] = self.files[other], self.files[one]

    def link(self, at: str, to: str) -> None:
        if at in self.files:
            self.files[to] = self.files[at]

    def move_across(self, at: str, to: str) -> None:
        """Move as `mv` between file systems does: new inode, same modification time."""
        if at in self.files and at != to:
            old = self.files[at]
            self.files[to] = replace(old, number=self.free_number(), device=3 - old.device)
            del self.files[at]

    def touch(self, at: str) -> None:
        if at in self.files:
            self.clock += 1
            self.files[at].mtime = self.clock

    def seen(self) -> list[ScannedFile]:
        return [
            ScannedFile(at, FileVersion(i.device, i.number, i.size, i.mtime))
            for at, i in self.files.items()
        ]


class Index:
    """A registry, with the content that each file had when it was last read."""

    def __init__(self) -> None:
        self.files: dict[int, KnownFile] = {}
        self.content: dict[int, int] = {}
        self.last_key = 0

    def take(self, difference: Difference, disk: Disk) -> None:
        for known in difference.gone:
            del self.files[known.file_key], self.content[known.file_key]
        for known, seen in difference.moved + difference.relocated + difference.changed:
            self.put(known.file_key, seen)
        for known, seen in difference.relocated + difference.changed:
            self.content[known.file_key] = disk.files[seen.location].content
        for seen in difference.new:
            self.last_key += 1
            self.put(self.last_key, seen)
            self.content[self.last_key] = disk.files[seen.location].content

    def put(self, key: int, seen: ScannedFile) -> None:
        source = seen.version.to_json()
        self.files[key] = KnownFile(key, str(key), seen.location, "", "", 0, "queued", source)


sizes = st.integers(0, 2)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("write"), place, sizes),
        st.tuples(st.just("replace"), place, sizes),
        st.tuples(st.just("remove"), place),
        st.tuples(st.just("rename"), place, place),
        st.tuples(st.just("swap"), place, place),
        st.tuples(st.just("link"), place, place),
        st.tuples(st.just("move_across"), place, place),
        st.tuples(st.just("touch"), place),
    ),
    max_size=12,
)


@given(st.lists(changes, min_size=1, max_size=5))
def test_registry_becomes_the_folder_and_nothing_stale_stays_indexed(
    rounds: list[list[tuple[str, ...]]],
) -> None:
    disk, index = Disk(), Index()
    for ops in rounds:
        for name, *args in ops:
            getattr(disk, name)(*args)
        seen = disk.seen()
        difference = reconcile(index.files.values(), seen)
        _each_once(difference, index, seen)
        index.take(difference, disk)

        by_place = {file.location: key for key, file in index.files.items()}
        assert by_place.keys() == disk.files.keys()
        assert len(by_place) == len(index.files)
        for at, key in by_place.items():
            assert index.content[key] == disk.files[at].content
        again = reconcile(index.files.values(), seen)
        assert again == Difference(renumbered=again.renumbered)


def _each_once(difference: Difference, index: Index, seen: list[ScannedFile]) -> None:
    pairs = difference.moved + difference.relocated + difference.changed
    keys = [known.file_key for known, _ in pairs] + [file.file_key for file in difference.gone]
    assert len(keys) == len(set(keys))
    assert set(keys) <= index.files.keys()
    places = [one.location for _, one in pairs] + [one.location for one in difference.new]
    assert len(places) == len(set(places))
    assert set(places) <= {one.location for one in seen}
    for known, one in difference.moved:
        before = FileVersion.from_json(known.source)
        assert before is not None
        assert before.identity == one.version.identity


# A file of another suffix that is moved over a file replaces its content instead.
plain = st.sampled_from([location for location in PLACES if not suffix_of(location)])
renames = st.lists(
    st.one_of(st.tuples(st.just("rename"), plain, plain), st.tuples(st.just("swap"), plain, plain)),
    max_size=10,
)


@given(st.dictionaries(plain, sizes, min_size=1), renames)
def test_renamed_and_swapped_files_keep_their_ids_and_are_not_read_again(
    files: dict[str, int], ops: list[tuple[str, str, str]]
) -> None:
    disk, index = Disk(), Index()
    for at, size in files.items():
        disk.write(at, size)
    index.take(reconcile([], disk.seen()), disk)
    owners = {disk.files[file.location].number: key for key, file in index.files.items()}
    for name, one, other in ops:
        getattr(disk, name)(one, other)

    difference = reconcile(index.files.values(), disk.seen())
    index.take(difference, disk)

    assert difference == Difference(moved=difference.moved, gone=difference.gone)
    assert {owners[disk.files[f.location].number]: f.location for f in index.files.values()} == {
        key: file.location for key, file in index.files.items()
    }


def _known(key: int, at: str, version: FileVersion) -> KnownFile:
    return KnownFile(key, str(key), at, "", "", 0, "completed", version.to_json())


def test_a_file_system_with_another_number_after_a_restart_changes_nothing() -> None:
    difference = reconcile(
        [_known(1, "a", FileVersion(5, 10, 3, 7))], [ScannedFile("a", FileVersion(6, 10, 3, 7))]
    )
    assert difference == Difference(renumbered={5: 6})


def test_without_stable_inodes_a_moved_file_keeps_its_id_and_is_read_again() -> None:
    difference = reconcile(
        [_known(1, "a/report.pdf", FileVersion(5, 0, 300, 7))],
        [ScannedFile("b/report.pdf", FileVersion(5, 0, 300, 7))],
    )
    assert [(k.file_key, s.location) for k, s in difference.relocated] == [(1, "b/report.pdf")]
    assert not difference.moved


def test_an_unrelated_file_that_got_a_freed_inode_is_another_file() -> None:
    difference = reconcile(
        [_known(1, "old.txt", FileVersion(1, 10, 3, 7))],
        [ScannedFile("new.txt", FileVersion(1, 10, 4, 9))],
    )
    assert [file.file_key for file in difference.gone] == [1]
    assert [seen.location for seen in difference.new] == ["new.txt"]


def test_files_that_look_alike_are_not_taken_for_one_another() -> None:
    known = [_known(1, "a", FileVersion(1, 10, 3, 7)), _known(2, "b", FileVersion(1, 11, 3, 7))]
    seen = [ScannedFile("c", FileVersion(2, 20, 3, 7)), ScannedFile("d", FileVersion(2, 21, 3, 7))]
    difference = reconcile(known, seen)
    assert not difference.relocated
    assert (len(difference.gone), len(difference.new)) == (2, 2)


def test_a_row_without_a_version_is_read_again() -> None:
    known = replace(_known(1, "a", FileVersion(1, 1, 1, 1)), source={"etag": "old"})
    difference = reconcile([known], [ScannedFile("a", FileVersion(1, 1, 1, 1))])
    assert [(k.file_key, s.location) for k, s in difference.changed] == [(1, "a")]
