from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.known_files import KnownFiles
from raglive.sources.local_files.location import beneath
from raglive.store.registry.files import KnownFile

place = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
step = st.tuples(st.integers(1, 6), st.one_of(st.none(), place), st.integers(1, 3))


def _file(key: int, at: str, inode: int) -> KnownFile:
    source = FileVersion(1, inode, 1, 1).to_json()
    return KnownFile(key, str(key), at, "", "", 0, "queued", source)


@given(st.lists(step), st.lists(place, max_size=3))
def test_finds_the_same_as_a_scan_of_every_file(
    steps: list[tuple[int, str | None, int]], places: list[str]
) -> None:
    known, files = KnownFiles(), dict[int, KnownFile]()
    for key, at, inode in steps:
        if at is None:
            known.drop(key)
            files.pop(key, None)
        else:
            files[key] = _file(key, at, inode)
            known.put(files[key])

    assert {file.file_key: file for file in known} == files
    wanted = {k for k, f in files.items() if f.location in places or beneath(f.location, places)}
    assert {file.file_key for file in known.within(places)} == wanted
    for inode in (1, 2, 3):
        alike = {file.file_key for file in known.same_identity(FileVersion(9, inode, 1, 1))}
        assert alike == {k for k, f in files.items() if f.source["inode"] == inode}
    assert known.same_identity(FileVersion(1, 0, 1, 1)) == []
