from __future__ import annotations

import os
import socket
from pathlib import Path

from raglive.local_stack.data_folder import DataFolder, is_data_folder
from raglive.sources.local_files.location import path_of
from raglive.sources.local_files.scan import Scan, Scanner
from raglive.sources.local_files.scope import WatchScope


def _scanner(root: Path, *, ignore: tuple[str, ...] = (), follow_links: bool = True) -> Scanner:
    scope = WatchScope(root, ignore, follow_links=follow_links, is_private=is_data_folder)
    return Scanner(scope, lambda _path, _location: None)


def _scan(root: Path) -> Scan:
    return _scanner(root).everything()


def _write(root: Path, *places: str) -> None:
    for place in places:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(place)


def test_finds_files_and_skips_special_entries(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "sub/b.md", ".git/config", "sub/~$b.docx", "skip/c.txt")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sock"))
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "itself").symlink_to("itself")

    scan = _scanner(tmp_path, ignore=("skip/",)).everything()

    assert scan.files.keys() == {"a.txt", "sub/b.md"}
    assert scan.folders == {"", "sub"}
    assert scan.unreadable == {}


def test_follows_links_once_and_prefers_real_locations(tmp_path: Path) -> None:
    root, outside = tmp_path / "watched", tmp_path / "outside"
    _write(root, "real/a.txt", "z/b.txt")
    _write(outside, "c.txt", "deep/d.txt")
    (root / "0-link-to-real").symlink_to(root / "real")
    (root / "real" / "up").symlink_to(root)
    (root / "out").symlink_to(outside)
    (root / "out-again").symlink_to(outside / "deep")
    (outside / "back").symlink_to(root)
    (root / "file-link.txt").symlink_to(outside / "c.txt")

    for _ in range(2):
        assert _scan(root).files.keys() == {
            "real/a.txt",
            "z/b.txt",
            "out/c.txt",
            "out/deep/d.txt",
            "file-link.txt",
        }


def test_two_links_to_each_other_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        _write(tmp_path, f"{one}/{one}.txt")
        (tmp_path / one / "loop").symlink_to(tmp_path / other)
        (tmp_path / one / "self").symlink_to(tmp_path / one)
    assert _scan(tmp_path).files.keys() == {"a/a.txt", "b/b.txt"}


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff.txt")
    path.parent.mkdir()
    path.write_text("x")
    [location] = _scan(tmp_path).files
    location.encode()
    assert path_of(tmp_path, location).read_text() == "x"
    assert _scanner(tmp_path).look([location]).files.keys() == {location}


def test_files_too_deep_to_index_are_neither_found_nor_deleted(tmp_path: Path) -> None:
    _write(tmp_path, "top.txt")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("far.txt", os.O_CREAT, dir_fd=here))
    os.close(here)

    scan = _scan(tmp_path)

    assert scan.files.keys() == {"top.txt"}
    [unreadable] = scan.unreadable
    assert scan.hides(f"{unreadable}/{'d' * 200}/far.txt")


def test_a_path_that_no_index_can_hold_is_named(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) - len(str(tmp_path)) < 2650:
        folder /= "f" * 100
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    scan = _scan(tmp_path)
    assert scan.files == {}
    assert len(scan.too_long) == 1


def test_an_unreadable_folder_hides_what_lies_in_it(unprivileged: Path) -> None:
    _write(unprivileged, "open/a.txt", "shut/b.txt", "blind/c.txt")
    (unprivileged / "shut").chmod(0)
    (unprivileged / "blind").chmod(0o444)  # names can be read, files cannot
    try:
        scan = _scan(unprivileged)
        assert scan.files.keys() == {"open/a.txt"}
        assert scan.hides("shut/b.txt")
        assert scan.hides("blind/c.txt")
        assert not scan.hides("open/gone.txt")
        look = _scanner(unprivileged).look(["shut/b.txt"])
        assert look.hides("shut/b.txt")
    finally:
        (unprivileged / "shut").chmod(0o755)
        (unprivileged / "blind").chmod(0o755)


def test_an_unreadable_file_is_there(unprivileged: Path) -> None:
    _write(unprivileged, "secret.txt")
    (unprivileged / "secret.txt").chmod(0)
    assert _scan(unprivileged).files.keys() == {"secret.txt"}


def test_a_partial_scan_includes_everything_below_its_locations(tmp_path: Path) -> None:
    _write(tmp_path, "a/b/c.txt", "a/d.txt", "e.txt", ".hidden/f.txt")
    scan = _scanner(tmp_path).look(["a/b", "a/b/c.txt", "e.txt", "gone.txt", ".hidden/f.txt"])
    assert scan.files.keys() == {"a/b/c.txt", "e.txt"}
    assert scan.covers("a/b/other.txt")
    assert scan.covers("gone.txt")
    assert not scan.covers("a/d.txt")


def test_a_partial_scan_leaves_folder_links_to_a_full_scan(tmp_path: Path) -> None:
    _write(tmp_path, "real/a.txt", "new/b.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "new" / "link").symlink_to(tmp_path / "real")
    for place in ("link", "new"):
        scan = _scanner(tmp_path).look([place])
        assert scan.found_folder_link
        assert scan.hides(f"{place}/link/a.txt" if place == "new" else "link/a.txt")


def test_links_that_leave_the_folder_and_secrets_are_left_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "watched", tmp_path / "outside"
    _write(root, "a/b.txt")
    _write(outside, "c.txt")
    data = DataFolder(tmp_path / "data")
    data.secret("jwt")
    DataFolder(root / "own-data").secret("jwt")
    (root / "inside").symlink_to("a")
    (root / "out").symlink_to(outside)
    (root / "c.txt").symlink_to(outside / "c.txt")
    (root / "secret.txt").symlink_to(data.path / "jwt.secret")
    (root / "data").symlink_to(data.path)
    (root / "logs").symlink_to(data.logs)

    scanner = _scanner(root, follow_links=False)
    for scan in (scanner.everything(), scanner.look([entry.name for entry in root.iterdir()])):
        assert scan.files.keys() == {"a/b.txt"}
        assert {"out", "c.txt", "secret.txt", "data", "own-data"} <= scan.left_out
    secret = scanner.look(["own-data/jwt.secret", "own-data/logs"])  # as a notification would
    assert (secret.files, secret.folders) == ({}, set())
    followed = _scanner(root, follow_links=True).everything()
    assert followed.files.keys() == {"a/b.txt", "c.txt", "out/c.txt"}
