"""Types of values that several settings share."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

__all__ = ["AtLeastOne", "Listed", "Port", "Positive", "Url"]


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _web_address(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError("it is not an address like https://example.com")
    return text.rstrip("/")


AtLeastOne = Annotated[int, Field(ge=1)]
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]
Url = Annotated[str, AfterValidator(_web_address)]
