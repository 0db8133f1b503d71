"""Random trees of folders: the plan determines scope and paths correctly."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from raglive.sources.google_drive.drive_file import FOLDER, DriveFile
from raglive.sources.google_drive.reconcile import decide
from raglive.store.registry.google_drive import Folder, KnownItems

ROOT = Folder("root", None, "root", "", is_root=True, state="listed")
NOTHING = KnownItems({}, {"root": ROOT}, {}, ())

# The parent of each folder, by number: -1 is the watched folder, -2 is elsewhere; cycles are
# possible, as pages are not of one moment.
_parents = st.lists(st.integers(-2, 7), min_size=1, max_size=8)


def _name(number: int) -> str:
    return {-1: "root", -2: "elsewhere"}.get(number, f"d{number}")


def _folder(number: int, parent: int) -> DriveFile:
    return DriveFile(_name(number), _name(number), FOLDER, _name(parent))


def _path(parents: list[int], number: int) -> str | None:
    """Return the path of a folder below the watched one, None when it is not below it."""
    names: list[str] = []
    at = number
    while at >= 0:
        if at >= len(parents) or len(names) > len(parents):
            return None
        names.append(_name(at))
        at = parents[at]
    return "/".join(reversed(names)) if at == -1 else None


@given(_parents, st.randoms(use_true_random=False))
def test_folders_and_files_of_one_page_are_placed_whatever_their_order(
    parents: list[int], random: Random
) -> None:
    states = [_folder(number, parent) for number, parent in enumerate(parents)]
    states += [
        DriveFile(f"f{number}", f"f{number}", "text/plain", _name(number), checksum="md5:1")
        for number in range(len(parents))
    ]
    random.shuffle(states)
    plan = decide({state.id: state for state in states}, NOTHING)

    paths = {number: _path(parents, number) for number in range(len(parents))}
    inside = {number: path for number, path in paths.items() if path is not None}
    assert {folder.folder_id: folder.path for folder in plan.folders} == {
        _name(number): path for number, path in inside.items()
    }
    assert {file.file_id: file.folder for file in plan.new} == {
        f"f{number}": path for number, path in inside.items()
    }
    assert not plan.gone


def test_a_reported_removal_counts_once_drive_confirms_it() -> None:
    theirs = Folder("theirs", "root", "theirs", "theirs", log="0Adrive", state="listed")
    known = KnownItems({}, {"root": ROOT, "theirs": theirs}, {}, ())
    for log in ("", "0Adrive"):
        reported = decide({"theirs": None}, known, log=log)
        assert (reported.gone_folders, reported.ask) == ({}, {"theirs"})
        confirmed = decide({"theirs": None}, known, log=log, asked={"theirs"})
        assert confirmed.gone_folders == {"theirs": "removed"}
    assert decide({"theirs": None}, known).gone_folders == {"theirs": "removed"}


def test_a_watched_folder_is_lost_and_never_emptied() -> None:
    for state in (None, DriveFile("root", "root", FOLDER, trashed=True)):
        plan = decide({"root": state}, NOTHING)
        assert plan.lost_roots == {"root"}
        assert not plan.gone_folders


def test_an_unknown_parent_folder_is_requested() -> None:
    known = KnownItems({}, {"root": ROOT, "d1": Folder("d1", "root", "d1", "d1")}, {}, ())
    states: dict[str, DriveFile | None] = {"d1": _folder(1, 2)}
    plan = decide(states, known)
    assert plan.ask == {"d2"}
    assert not plan.gone_folders
    plan = decide(states | {"d2": _folder(2, -1)}, known)
    assert {folder.folder_id: folder.path for folder in plan.folders} == {"d1": "d2/d1", "d2": "d2"}
    assert plan.repath == ["d1"]
