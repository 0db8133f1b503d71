from __future__ import annotations

from pathlib import Path

import pytest

from raglive.sources.local_files import volumes
from raglive.sources.local_files.volumes import Volume, Volumes

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /mnt/team\040share rw,relatime - nfs4 server:/export rw
31 30 0:41 / /mnt/team\040share/usb rw - vfat /dev/sdb1 rw
32 22 0:42 / /mnt/s3 rw - fuse.s3fs s3fs rw
33 22 0:43 / /mnt/s3 rw - tmpfs none rw
"""


@pytest.fixture(autouse=True)
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS.lstrip())
    monkeypatch.setattr(volumes, "_MOUNTS", tmp_path / "mountinfo")


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "number_of", lambda device, _path: device)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/docs", "ext4"),
        ("/mnt/team share", "nfs4"),
        ("/mnt/team share/a/b", "nfs4"),
        ("/mnt/team share/usb/a", "vfat"),
        ("/mnt/team shared", "ext4"),
        ("/mnt/s3/a", "tmpfs"),
    ],
)
def test_the_innermost_latest_mount_counts(path: str, kind: str) -> None:
    assert Volumes().of(1, path).kind == kind


def test_volumes_know_whether_they_report_changes_and_have_stable_inodes() -> None:
    found = Volumes()
    for device, path in enumerate(("/srv", "/mnt/team share", "/mnt/team share/usb")):
        found.of(device, path)
    assert found.shared() == {"nfs4"}
    assert Volume("nfs4").has_stable_inodes
    assert not Volume("vfat").has_stable_inodes
    assert not Volume("fuse.sshfs").has_stable_inodes
    for local in ("ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "apfs", "unknown"):
        assert not Volume(local).is_shared
        assert Volume(local).has_stable_inodes


def test_without_a_list_of_mounts_file_systems_count_as_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(volumes, "_MOUNTS", Path("/nowhere"))
    assert Volumes().of(1, "/srv").kind == "unknown"
