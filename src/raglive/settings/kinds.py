"""Types of values that several settings share."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

__all__ = ["AtLeastOne", "Listed", "Port", "Positive", "Url", "refuse_credentials"]


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def refuse_credentials(address: str) -> None:
    """Raise ValueError, without any part of it, for an address that may hold a password."""
    if "@" in address:
        raise ValueError("it has an @: addresses in settings must not hold a name and a password")


def _web_address(text: str) -> str:
    refuse_credentials(text)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("its host or port cannot be used") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not an address like https://example.com")
    return text.rstrip("/")


AtLeastOne = Annotated[int, Field(ge=1)]
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]
Url = Annotated[str, AfterValidator(_web_address)]
