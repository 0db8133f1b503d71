"""Where an index's vectors come from, and the settings with which a process gets such vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

__all__ = ["DEFAULT_SOURCE", "ModelSource", "embedding_settings", "settings_advice"]

BUILT_IN = "builtin"
Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """How vectors are requested: the configured address, and the number of dimensions asked for.

    None for the provider's own address, and for the model's own number.
    """

    base_url: str | None = None
    asked_dimensions: int | None = None

    def storable(self) -> ModelSource:
        """Return the source without user name, password, query and fragment of its address."""
        if not self.base_url:
            return ModelSource(None, self.asked_dimensions)
        try:
            parts = urlsplit(self.base_url)
        except ValueError:  # no request can go there
            return ModelSource(None, self.asked_dimensions)
        host = parts.netloc.rpartition("@")[2]
        address = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
        return ModelSource(address, self.asked_dimensions)


DEFAULT_SOURCE = ModelSource()


def embedding_settings(provider: str, model: str | None, source: ModelSource) -> Values:
    """Return the settings that produce such vectors, by name; None for one that must be unset."""
    if provider == BUILT_IN:
        return {"EMBEDDING_PROVIDER": BUILT_IN, "EMBEDDING_MODEL": None}
    asked = source.asked_dimensions
    return {
        "EMBEDDING_PROVIDER": provider,
        "EMBEDDING_MODEL": model,
        "EMBEDDING_BASE_URL": source.storable().base_url,
        "RAGLIVE_EMBEDDING_DIMENSIONS": None if asked is None else str(asked),
    }


def settings_advice(wanted: Values, own: Values) -> str:
    """Return a sentence that names the settings to change; empty if they are equal."""
    different = {name: value for name, value in wanted.items() if own.get(name) != value}
    to_set = [f"{name}={value}" for name, value in different.items() if value is not None]
    if "EMBEDDING_PROVIDER" in different and wanted["EMBEDDING_PROVIDER"] != BUILT_IN:
        to_set.append("EMBEDDING_API_KEY if the provider wants a key")
    to_unset = [name for name, value in different.items() if value is None]
    parts = [f"set {_listed(to_set)}"] if to_set else []
    parts += [f"unset {_listed(to_unset)}"] if to_unset else []
    sentence = ", and ".join(parts)
    return sentence[:1].upper() + sentence[1:]


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
