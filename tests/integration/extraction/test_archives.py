"""Archives: names in any encoding, bad files among good ones, and decompression bombs."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from raglive.extraction.file_reader import read_file
from raglive.extraction.model import ExtractionLimits, Refusal
from tests.integration.extraction import documents


def stored(**texts: str) -> bytes:
    """A zip of files that are not compressed."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.txt", text)
    return buffer.getvalue()


def text_of(folder: Path, data: bytes, name: str = "a.zip") -> str:
    path = folder / name
    path.write_bytes(data)
    return read_file(path, name, None, ExtractionLimits(1_000_000, 1_000_000)).text


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Größe"),
        ("cp437", "Größe"),
        ("cp1252", "Größe"),
        ("cp932", "日本語の名前"),
        ("cp1251", "Приливы и отливы"),
    ],
)
def test_names_are_decoded_in_the_archivers_encoding(
    tmp_path: Path, encoding: str, name: str
) -> None:
    written = name.encode(encoding)
    stand_in = "x" * len(written)
    packed = stored(**{stand_in: "Rope"}).replace(stand_in.encode(), written)
    assert text_of(tmp_path, packed) == f"# {name}.txt\n\nRope"


def test_a_tar_has_names_in_the_archivers_encoding(tmp_path: Path) -> None:
    packed = documents.tarred({"xx.txt": b"Rope"}).replace(b"xx.txt", "Öl.txt".encode("latin-1"))
    check, fixed = b"\0ustar", bytearray(packed)
    header = fixed.rindex(check, 0, 1024 + 300) - 256
    fixed[header + 148 : header + 156] = b" " * 8
    fixed[header + 148 : header + 156] = b"%06o\0 " % sum(fixed[header : header + 512])
    assert text_of(tmp_path, bytes(fixed), "a.tar") == "# Öl.txt\n\nRope"


def test_a_bad_file_in_an_archive_does_not_affect_others(tmp_path: Path) -> None:
    packed = stored(rope="old rope", sail="red sail").replace(b"old rope", b"odd rope")
    text = text_of(tmp_path, packed)
    assert text == "# rope.txt\n\n(extraction error)\n\n# sail.txt\n\nred sail"


def test_an_archive_of_only_bad_files_fails(tmp_path: Path) -> None:
    packed = stored(rope="old rope").replace(b"old rope", b"odd rope")
    with pytest.raises(Refusal, match=r"of the first: rope\.txt is damaged: Bad CRC") as caught:
        text_of(tmp_path, packed)
    assert (caught.value.outcome, caught.value.code) == ("failed", "extraction_error")


def test_an_unknown_compression_is_not_reported_as_protection(tmp_path: Path) -> None:
    data = bytearray(stored(rope="old rope"))
    for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        data[data.index(signature) + offset] = 99
    with pytest.raises(Refusal, match="compression") as caught:
        text_of(tmp_path, bytes(data))
    assert caught.value.code == "extraction_error"


@pytest.mark.parametrize("start", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\1\0", b"\x28\xb5\x2f\xfd"])
def test_archives_that_are_not_read_say_so(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(Refusal, match="Pack the files as zip or tar") as caught:
        text_of(tmp_path, start + bytes(99), "a.archive")
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize("name", ["a.zip", "a.docx"])
def test_a_truncated_file_is_reported_as_truncated(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal, match="damaged: its end is missing"):
        text_of(tmp_path, documents.docx("Rope " * 99)[:700], name)
