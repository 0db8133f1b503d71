"""How a provider is asked for a model's vectors: what settings name, and vectors do not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

__all__ = ["PLAIN", "Source", "advice", "as_settings"]

BUILT_IN = "builtin"
Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Source:
    """The address that is set, and the dimensions that are asked for; None where none are."""

    base_url: str | None = None
    asked_dimensions: int | None = None

    def storable(self) -> Source:
        """Return it without what an address may hold of names, passwords and keys."""
        if not self.base_url:
            return Source(None, self.asked_dimensions)
        try:
            parts = urlsplit(self.base_url)
        except ValueError:  # nobody can be asked there
            return Source(None, self.asked_dimensions)
        host = parts.netloc.rpartition("@")[2]
        address = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
        return Source(address, self.asked_dimensions)


PLAIN = Source()


def as_settings(provider: str, model: str | None, source: Source) -> Values:
    """Return what a process has to have set to get such vectors; None for what is to be unset."""
    if provider == BUILT_IN:
        return {"EMBEDDING_PROVIDER": BUILT_IN, "EMBEDDING_MODEL": None}
    asked = source.asked_dimensions
    return {
        "EMBEDDING_PROVIDER": provider,
        "EMBEDDING_MODEL": model,
        "EMBEDDING_BASE_URL": source.storable().base_url,
        "RAGLIVE_EMBEDDING_DIMENSIONS": None if asked is None else str(asked),
    }


def advice(wanted: Values, own: Values) -> str:
    """Say which settings to change; empty when they are the same."""
    other = {name: value for name, value in wanted.items() if own.get(name) != value}
    to_set = [f"{name}={value}" for name, value in other.items() if value is not None]
    if "EMBEDDING_PROVIDER" in other and wanted["EMBEDDING_PROVIDER"] != BUILT_IN:
        to_set.append("EMBEDDING_API_KEY if the provider wants a key")
    to_unset = [name for name, value in other.items() if value is None]
    said = [f"set {_listed(to_set)}"] if to_set else []
    said += [f"unset {_listed(to_unset)}"] if to_unset else []
    whole = ", and ".join(said)
    return whole[:1].upper() + whole[1:]


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
