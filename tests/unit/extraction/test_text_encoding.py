# ruff: noqa: RUF001 - the samples are what this is about
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raglive.extraction.text_encoding import decode, looks_binary
from raglive.extraction.text_normalisation import normalise

SAMPLES = [
    ("utf-8-sig", "Mark first: ünïcode"),
    ("utf-16", "Wide words, ünïcode"),
    ("utf-16-le", "Wide words without a mark, ünïcode\n"),
    ("utf-16-be", "Wide words without a mark"),
    ("cp1252", "Größe: 25 € – „Übung“ macht den Meister\n"),
    ("cp1252", "L’été à Nîmes, où l’on préfère les œufs\n"),
    ("cp1252", "“Smart quotes” — and dashes… only\n"),
    ("cp1252", "Pages 10–12: the Committee’s report — see §5. It’s “final”.\n"),
    ("cp1252", "Perché la città è così bella? Più tardi andrò al mercato.\n"),
    ("latin-1", "Müller"),
    ("latin-1", "café\n"),
    ("latin-1", "Señor Nuñez vive en España\n"),
    ("latin-1", "Rødgrød med fløde på en ø\n"),
    ("cp1250", "Zażółć gęślą jaźń\n"),
    ("cp1250", "Řeka teče pod mostem a lidé stojí na břehu.\n"),
    ("cp1250", "Szia világ! Ez egy őszinte, hosszú űrhajós szöveg.\n"),
    ("cp1254", "Merhaba dünya, bu bir test belgesidir. Şişli'de yağmur yağıyor.\n"),
    ("cp1257", "Šis ir dokuments, kurā ir latviešu burti: ģ, ķ, ļ un ņ.\n"),
    ("cp1251", "Привет, мир! Это тестовый документ.\n"),
    ("koi8-r", "Привет, мир! Это тестовый документ на русском языке.\n"),
    ("cp1253", "Καλημέρα κόσμε, αυτό είναι ένα κείμενο\n"),
    ("cp1255", "שלום עולם זהו מסמך בדיקה\n"),
    ("cp1256", "مرحبا بالعالم هذا مستند اختبار\n"),
    ("cp932", "名前,年齢,住所\n佐藤太郎,30,東京\n"),
    ("cp932", "東京\n"),
    ("euc_jp", "日本語のテキストです。これはテストです。\n"),
    ("euc_jp", "満潮は六時です。港の船は安全に停泊しています。\n"),
    ("gb18030", "今天的高潮是六点。港口里的船很安全。\n"),
    ("gb18030", "这是一个中文文档，用于测试编码检测。\n"),
    ("big5", "這是一個中文文件，用於測試編碼檢測。\n"),
    ("euc_kr", "이것은 한국어 문서입니다. 인코딩 감지를 테스트합니다.\n"),
    ("tis-620", "สวัสดีชาวโลก นี่คือเอกสารทดสอบ\n"),
]


@pytest.mark.parametrize(("encoding", "text"), SAMPLES)
def test_text_of_unknown_encoding_comes_out_right(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert decode(data) == text
    assert not looks_binary(data)


def test_a_declared_encoding_is_used_where_it_fits() -> None:
    assert decode("Привет".encode("koi8-r"), "koi8-r") == "Привет"
    assert decode("naïve".encode(), "ascii") == "naïve"
    assert decode("naïve".encode("latin-1"), "no-such-encoding") == "naïve"


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3", b" caf\xe9 ", b"\xe6\xb5"])
def test_a_few_wrong_bytes_do_not_turn_all_of_utf8_into_something_else(wrong: bytes) -> None:
    whole = "Plain words.\n" * 6_000 + "Größe und Länge sind überall schön äöü. 満潮は六時です。\n"
    assert decode(whole.encode() * 3 + wrong).startswith(whole * 3)
    assert decode(wrong + whole.encode() * 3).endswith(whole * 3)


def test_binary_content_is_recognised() -> None:
    assert looks_binary(b"\x00\x01\x02 something \x03")
    assert looks_binary(bytes(range(1, 32)) * 10)
    assert not looks_binary(b"plain words\r\n\twith a tab")


@given(st.binary(max_size=300))
def test_any_bytes_decode_to_what_postgres_accepts(data: bytes) -> None:
    text = normalise(decode(data))
    text.encode()
    assert "\0" not in text
    assert "\r" not in text
    assert text == normalise(text)


def test_newlines_ligatures_accents_and_surrogates_are_normalised() -> None:
    assert normalise("a\r\nb\rc\fd\u2028e") == "a\nb\nc\nd\ne"
    assert normalise("e\u0301 \ufb01le \ud800 \x00\x02") == "\xe9 file \ufffd "
