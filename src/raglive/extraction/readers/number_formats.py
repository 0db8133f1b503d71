"""Numbers of workbooks as Excel shows them; dates are shown in ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

__all__ = ["BUILT_IN_FORMATS", "GENERAL", "shown_number"]

GENERAL = "General"
_DATE, _TIME, _MOMENT = "yyyy-mm-dd", "h:mm:ss", "yyyy-mm-dd h:mm:ss"
BUILT_IN_FORMATS = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)), _DATE),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47), _TIME),
    22: _MOMENT,
    **dict.fromkeys((37, 38), "#,##0"),
    **dict.fromkeys((39, 40), "#,##0.00"),
    46: "[h]:mm:ss",
}
"""The codes of the formats that a workbook does not define itself, by their numbers."""

_TOKEN = re.compile(r'"([^"]*)"|\\(.)|\[([^\]]*)\]|[_*].|([#0?][#0?,]*(?:\.[#0?]*)?,*)|(.)', re.S)
_CURRENCY = re.compile(r"\$([^-]+)(?:-.*)?")
_ELAPSED = re.compile(r"h+|m+|s+", re.I)
_EXPONENT = re.compile(r"[#0?]E[+-]|/[?#0-9]", re.I)
_LAST_DAY = 2_958_466  # 9999-12-31
_TOO_LARGE = Decimal(10) ** 25


def shown_number(value: str, code: str, *, is_1904: bool = False) -> str:
    """Return a number as this format shows it, or unchanged if it is not a number."""
    is_plain = code == GENERAL and value.isdecimal() and len(value) < 16
    number = None if is_plain else _number(value)
    if number is None:
        return value
    return _general(number) if code == GENERAL else _shown(number, code, is_1904=is_1904)


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
        return number if abs(number) < _TOO_LARGE else None  # None for infinity, too
    except InvalidOperation:
        return None


def _shown(number: Decimal, code: str, *, is_1904: bool) -> str:
    tokens = _tokens(_section(code, number))
    letters = {char.lower() for kind, text in tokens if kind == "letter" for char in text}
    elapsed = any(kind == "elapsed" for kind, _ in tokens)
    if elapsed or letters & set("ymdhs"):
        return _moment(number, letters, is_elapsed=elapsed, is_1904=is_1904) or _general(number)
    try:
        return _formatted(number, tokens)
    except InvalidOperation:  # more digits than decimals can have
        return _general(number)


def _general(number: Decimal) -> str:
    if number == number.to_integral_value():
        return format(number.quantize(Decimal(1)), "f")
    return format(Decimal(f"{float(number):.15g}"), "f")


def _section(code: str, number: Decimal) -> str:
    """Return the part of a format for numbers of this sign."""
    sections = re.findall(r'(?:"[^"]*"|\\.|[^;"])+', code)
    index = 1 if number < 0 else 2 if number == 0 else 0
    return str(sections[index if index < len(sections) else 0]) if sections else ""


@lru_cache(maxsize=256)
def _tokens(section: str) -> tuple[tuple[str, str], ...]:
    """Return the kinds and texts of a section's tokens."""
    found: list[tuple[str, str]] = []
    if _EXPONENT.search(section):
        return ()
    for quoted, escaped, bracket, digits, letter in _TOKEN.findall(section):
        currency = _CURRENCY.fullmatch(bracket)
        if digits:
            found.append(("digits", digits))
        elif bracket and _ELAPSED.fullmatch(bracket):
            found.append(("elapsed", bracket))
        elif letter.isalpha():
            found.append(("letter", letter))
        else:
            found.append(("literal", currency[1] if currency else quoted or escaped or letter))
    return tuple(found)


def _moment(number: Decimal, letters: set[str], *, is_elapsed: bool, is_1904: bool) -> str | None:
    if not 0 <= number < _LAST_DAY:
        return None
    length = timedelta(seconds=round(float(number) * 86_400))
    if is_elapsed:
        minutes, seconds = divmod(int(length.total_seconds()), 60)
        text = f"{minutes // 60}:{minutes % 60:02}"
        return f"{text}:{seconds:02}" if "s" in letters else text
    # Excel counts a 29 February 1900 that did not exist.
    start = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30 + (number < 60))  # noqa: DTZ001
    moment = start + length
    if not letters & set("yd"):
        has_time = letters & set("hs")
        return moment.strftime("%H:%M:%S") if has_time else moment.date().isoformat()
    day = moment.date().isoformat()
    is_midnight = not length.seconds
    return day if is_midnight or not letters & set("hs") else moment.strftime("%Y-%m-%d %H:%M:%S")


def _formatted(number: Decimal, tokens: tuple[tuple[str, str], ...]) -> str:
    runs = [text for kind, text in tokens if kind == "digits"]
    if len(runs) != 1:  # a format of text, or with characters between the digits
        return _general(number)
    percents = sum(text.count("%") for kind, text in tokens if kind == "literal")
    sections_sign = "-" if number < 0 else ""
    digits = _digits(abs(number).scaleb(2 * percents), runs[0])
    text = "".join(digits if kind == "digits" else text for kind, text in tokens)
    is_signed = sections_sign and not any("(" in t or "-" in t for _, t in tokens)
    return f"{sections_sign if is_signed else ''}{text}".strip()


def _digits(number: Decimal, places: str) -> str:
    """Return a number without its sign, in the digits of a format such as `#,##0.0#`."""
    whole, _, decimals = places.rstrip(",").partition(".")
    scaled = number.scaleb(-3 * (len(places) - len(places.rstrip(","))))
    step = Decimal(1).scaleb(-len(decimals))
    text = format(scaled.quantize(step, ROUND_HALF_UP), "f")
    left, _, right = text.partition(".")
    least = decimals.count("0")
    right = right[:least] + right[least:].rstrip("0")
    left = left.lstrip("0").zfill(whole.count("0"))
    grouped = f"{int(left):,}" if "," in whole and left else left
    return f"{grouped}.{right}" if right else grouped
