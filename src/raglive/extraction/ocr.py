"""Finds the language data for text recognition. It is off by default, as it is slow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Recognition", "find_recognition"]

_PLACES = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)


@dataclass(frozen=True, slots=True)
class Recognition:
    """Tesseract's language codes, joined by `+`, and the folder with their data."""

    languages: str
    data: Path


def find_recognition(languages: str) -> Recognition:
    """Find the data of the languages.

    Raises `settings_invalid`, whose message says what to install.
    """
    wanted = languages.split("+")
    for folder in _folders():
        if all((folder / f"{language}.traineddata").is_file() for language in wanted):
            return Recognition(languages, folder)
    packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in wanted)
    raise RagliveError(
        f"RAGLIVE_OCR_LANGUAGES is {languages}, but no folder contains the data of all of them. "
        f"Install them (on Debian: apt-get install {packages}), or set TESSDATA_PREFIX to the "
        f"folder with {wanted[0]}.traineddata.",
        code=ErrorCode.SETTINGS_INVALID,
    )


def _folders() -> list[Path]:
    named = os.environ.get("TESSDATA_PREFIX")
    if named:
        return [Path(named), Path(named, "tessdata")]
    return [found for place in _PLACES for found in sorted(Path("/").glob(place.lstrip("/")))]
