"""Decodes text of unknown encoding."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

__all__ = ["decode", "looks_binary"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is a prefix of it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# The non-ASCII letters of the languages of each Western code page. The right code page is the one
# with a language that contains most of the text's letters.
_ALPHABETS = {
    "cp1252": (
        "äöüß",
        "àâæçéèêëîïôœùûüÿ",
        "áéíñóúüªº",
        "ãõáâàçéêíóôúü",
        "àèéìíîòóùú",
        "æøåäöéóüô",
        "áðéíóúýþæö",
        "àçèéïíòóúü",
    ),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýžäľĺŕô", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    "cp1254": ("çğ\u0131i\u0307öşüâîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
}
_OTHERS = (
    "cp932 euc_jp iso2022_jp gb18030 big5 cp949 cp1251 koi8_r cp1253 cp1255 cp1256 cp874 cp866"
)
_SAMPLE_BYTES = 65_536
_NON_ASCII_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_UTF8_LETTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_CONTROLS = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode by byte order mark, as UTF-8, as `declared`, or else with the most likely encoding."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    for candidate in (_wide_encoding(data), "utf-8", declared):
        text = _decoded(data, candidate)
        if text is not None:
            return text
    sample = _non_ascii_sample(data)
    encoding = "utf-8" if _is_damaged_utf8(sample) else _legacy_encoding(sample)
    return data.decode(encoding, errors="replace")


def looks_binary(data: bytes) -> bool:
    """Check whether `data` is not text in any encoding that `decode` supports."""
    head = data[:8192]
    if any(head.startswith(mark) for mark, _ in _BOMS) or _wide_encoding(head):
        return False
    if head.startswith(b"\0"):  # a log that was truncated while a program wrote it
        head = data.lstrip(b"\0")[:8192]
    return b"\0" in head or len(_CONTROLS.findall(head)) > len(head) // 50


def _decoded(data: bytes, encoding: str | None) -> str | None:
    if not encoding:
        return None
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _wide_encoding(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark: every other byte of its ASCII part is NUL."""
    head = data[:2048]
    if len(head) < 4 or len(data) % 2:
        return None
    high, low = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if low > half * 0.4 and high == 0:
        return "utf-16-le"
    if high > half * 0.4 and low == 0:
        return "utf-16-be"
    return None


def _is_damaged_utf8(sample: bytes) -> bool:
    """Check for UTF-8 with a few invalid bytes, such as a truncated end.

    Text in another encoding hardly ever contains valid UTF-8 sequences.
    """
    left_over = len(re.findall(rb"[\x80-\xff]", _UTF8_LETTER.sub(b"", sample)))
    return len(_UTF8_LETTER.findall(sample)) > 4 * left_over


def _legacy_encoding(sample: bytes) -> str:
    likely = _western_encoding(sample) or _paired_encoding(sample)
    if likely:
        return likely
    if _is_hebrew(sample):
        return "cp1255"
    best = from_bytes(sample, cp_isolation=_OTHERS.split(), threshold=0.5).best()
    return best.encoding if best else "cp1252"


def _non_ascii_sample(data: bytes) -> bytes:
    """Return lines with non-ASCII characters, up to a limit."""
    lines: list[bytes] = []
    size = 0
    for line in _NON_ASCII_LINE.finditer(data):
        lines.append(line[0][:_SAMPLE_BYTES])
        size += len(lines[-1])
        if size >= _SAMPLE_BYTES:
            break
    return b"".join(lines)


def _western_encoding(sample: bytes) -> str | None:
    scores = {encoding: _coverage(sample, encoding) for encoding in _ALPHABETS}
    best = max(scores, key=lambda encoding: scores[encoding])  # the first, cp1252, wins ties
    return best if scores[best] >= 0.8 else None


def _coverage(sample: bytes, encoding: str) -> float:
    """Return the share of non-ASCII letters that belong to one language of `encoding`."""
    text = _decoded(sample, encoding)
    if text is None:
        return 0.0
    letters = [c for c in text.lower() if c.isalpha()]
    special = [c for c in letters if not c.isascii()]
    inside_words = len(re.findall(r"[^\W\d_][^\w\s\-'\u2019.,/&@:;()«»·]+[^\W\d_]", text))
    if len(special) > 0.65 * len(letters) and len(special) > 3:
        return 0.0  # too many for a Western language
    if not special:
        return 0.9 if not inside_words else 0.0
    alphabets = _ALPHABETS[encoding]
    covered = max(sum(c in alphabet for c in special) for alphabet in alphabets)
    return covered / (len(special) + inside_words)


def _paired_encoding(sample: bytes) -> str | None:
    """Recognise Japanese and Chinese, whose characters are pairs of high bytes."""
    runs = re.findall(rb"[\x80-\xff]+", sample)
    rows = b"".join(run[::2] for run in runs)
    if len(rows) < 8 or any(len(run) % 2 for run in runs):
        return None
    kana = sum(row in b"\xa4\xa5" for row in rows)
    if kana > 0.15 * len(rows) and _decoded(sample, "euc_jp") is not None:
        return "euc_jp"
    frequent = sum(0xB0 <= row <= 0xD7 for row in rows)
    beyond_hangul = sum(0xC9 <= row <= 0xD7 for row in rows)
    is_chinese = frequent > 0.75 * len(rows) and beyond_hangul > 0.08 * len(rows)
    return "gb18030" if is_chinese and _decoded(sample, "gb2312") is not None else None


def _is_hebrew(sample: bytes) -> bool:
    """Recognise Hebrew by its range of bytes, which the most frequent Cyrillic letters exceed."""
    high = [byte for byte in sample if byte >= 0xC0]
    return len(high) >= 8 and all(0xE0 <= byte <= 0xFA for byte in high)
