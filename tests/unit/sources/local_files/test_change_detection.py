from __future__ import annotations

import os
import time
from pathlib import Path

from raglive.sources.local_files.change_detection import ChangeDetector, DetectedChanges
from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.known_files import KnownFiles
from raglive.sources.local_files.notifications import Writing
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.volumes import Volumes
from raglive.sources.local_files.watched_folder import FolderIdentity, FolderState, identify
from raglive.store.registry.files import KnownFile

LONG_AGO = time.time() - 1000


def _write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))


def _known(root: Path, *places: str, volume: int | None = None) -> KnownFiles:
    files, here = [], Volumes().of(0, str(root))
    for key, place in enumerate(places, 1):
        version = FileVersion.of((root / place).stat(), here)
        if volume is not None:
            version = version._replace(volume=volume)
        source = version.to_json()
        files.append(KnownFile(key, str(key), place, place, "", 1, "completed", source))
    return KnownFiles(files)


def _detector(root: Path, known: KnownFiles) -> ChangeDetector:
    return ChangeDetector(WatchScope(root, follow_links=True), None, known)


def _state(root: Path, *, approved: int = 0) -> FolderState:
    return FolderState(identify(root), approved > 0, held=approved)


def _when_certain(detector: ChangeDetector, state: FolderState) -> DetectedChanges:
    """Check until missing files have been missing long enough to be deleted."""
    detector.check_everything({}, state)
    due = detector.next_due()
    assert due is not None
    time.sleep(max(0, due - time.monotonic()))
    return detector.check_places({}, state)


def test_a_missing_file_is_deleted_only_if_it_stays_missing(tmp_path: Path) -> None:
    _write(tmp_path / "a.txt")
    detector = _detector(tmp_path, _known(tmp_path, "a.txt"))
    (tmp_path / "a.txt").unlink()
    assert detector.check_places({"a.txt": None}, _state(tmp_path)).difference.gone == []
    _write(tmp_path / "a.txt", "saved again")
    [(_, seen)] = detector.check_places({"a.txt": None}, _state(tmp_path)).difference.changed
    assert seen.location == "a.txt"
    assert detector.next_due() is None

    (tmp_path / "a.txt").unlink()
    [gone] = _when_certain(detector, _state(tmp_path)).difference.gone
    assert gone.location == "a.txt"


def test_a_move_is_found_from_its_end_and_from_its_beginning(tmp_path: Path) -> None:
    for notified in ("b/a.txt", "a.txt"):
        _write(tmp_path / "a.txt")
        detector = _detector(tmp_path, _known(tmp_path, "a.txt"))
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "a.txt").rename(tmp_path / "b" / "a.txt")
        first = detector.check_places({notified: None}, _state(tmp_path)).difference
        second = detector.check_places({"b/a.txt": None}, _state(tmp_path)).difference
        moved = first.moved + second.moved
        assert [seen.location for _, seen in moved][:1] == ["b/a.txt"]
        assert not first.gone + second.gone


def test_files_of_a_file_system_that_is_not_mounted_are_held(tmp_path: Path) -> None:
    _write(tmp_path / "disk" / "a.txt")
    detector = _detector(tmp_path, _known(tmp_path, "disk/a.txt", volume=1))
    (tmp_path / "disk" / "a.txt").unlink()
    detected = _when_certain(detector, _state(tmp_path))
    assert [file.location for file in detected.held] == ["disk/a.txt"]
    assert detected.difference.gone == []
    assert detector.next_due() is None
    approved = detector.check_everything({}, _state(tmp_path, approved=1))
    assert [file.location for file in approved.difference.gone] == ["disk/a.txt"]


def test_a_file_system_that_only_has_another_number_is_the_same(tmp_path: Path) -> None:
    _write(tmp_path / "a.txt")
    _write(tmp_path / "b.txt")
    detector = _detector(tmp_path, _known(tmp_path, "a.txt", "b.txt", volume=1))
    state = FolderState(FolderIdentity(1, tmp_path.stat().st_ino), deletions_approved=False)
    (tmp_path / "a.txt").unlink()
    detected = _when_certain(detector, state)
    assert [file.location for file in detected.difference.gone] == ["a.txt"]
    assert detected.held == []


def test_a_file_being_moved_and_written_is_not_deleted_meanwhile(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "report.txt", "four")
    detector = _detector(tmp_path, _known(tmp_path, "a/report.txt"))
    (tmp_path / "b").mkdir()
    with (tmp_path / "b" / "report.txt").open("w") as copy:
        copy.write("more")
        copy.flush()
        (tmp_path / "a" / "report.txt").unlink()
        detected = _when_certain(detector, _state(tmp_path))
        assert detected.difference.gone == []
    [(known, seen)] = detector.check_places(
        {"b/report.txt": Writing.CLOSED}, _state(tmp_path)
    ).difference.relocated
    assert (known.location, seen.location) == ("a/report.txt", "b/report.txt")


def test_unreadable_files_are_not_deleted(unprivileged: Path) -> None:
    _write(unprivileged / "shut" / "a.txt")
    _write(unprivileged / "b.txt")
    detector = _detector(unprivileged, _known(unprivileged, "shut/a.txt", "b.txt"))
    (unprivileged / "b.txt").unlink()
    (unprivileged / "shut").chmod(0)
    try:
        detected = _when_certain(detector, _state(unprivileged))
        whole = detector.check_everything({}, _state(unprivileged))
    finally:
        (unprivileged / "shut").chmod(0o755)
    assert [file.location for file in detected.difference.gone] == ["b.txt"]
    assert whole.unreadable.keys() == {"shut"}
    assert [file.location for file in whole.difference.gone] == ["b.txt"]
