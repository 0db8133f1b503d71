"""All settings together, and how they are read."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from raglive.settings.embeddings import Embeddings, Search
from raglive.settings.installation import Logs, Places, Retained, Tokens
from raglive.settings.pipelines import GoogleDrive, LocalFiles, Pipelines
from raglive.settings.servers import Limits, Servers
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "Settings",
    "SettingsError",
    "groups",
    "misspelt_names",
    "read_settings",
    "variable_names",
]

EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
MISSPELT_RATIO = 0.88  # of `difflib`: one or two letters in a name of 14


class SettingsError(RagliveError):
    """A setting is unknown, or its value cannot be used."""

    code = ErrorCode.SETTINGS_INVALID


class Settings(
    Places,
    Logs,
    Retained,
    Servers,
    Tokens,
    Limits,
    Pipelines,
    LocalFiles,
    GoogleDrive,
    Embeddings,
    Search,
    BaseSettings,
):
    """All settings; each field is read from the environment variables of its alias."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    @property
    def public_status_url(self) -> str:
        """The address under which browsers reach the status server."""
        return self.status_url or self._own_status_url

    @property
    def internal_status_url(self) -> str:
        """The address under which the dashboard server reaches the status server.

        It does not depend on the public address, so neither a proxy's routing nor its certificate
        or name matters.
        """
        return self.status_internal_url or self._own_status_url

    @property
    def _own_status_url(self) -> str:
        return f"http://{self.reachable_host}:{self.status_port}"

    @property
    def reachable_host(self) -> str:
        """The host under which this machine reaches its own servers, as it stands in a URL."""
        if self.listens_on_every_address:
            return "[::1]" if self.host == "::" else "127.0.0.1"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def listens_on_every_address(self) -> bool:
        """Whether the servers can be reached under every address of this machine."""
        return self.host in EVERY_ADDRESS


def groups() -> tuple[type[BaseModel], ...]:
    """The classes that settings are grouped in; the first docstring line is the group's title."""
    return tuple(base for base in Settings.__bases__ if base is not BaseSettings)


def variable_names() -> dict[str, tuple[str, ...]]:
    """Return the environment variables of each field."""
    names = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        names[field] = tuple(str(choice) for choice in choices)
    return names


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raise `SettingsError` with the name of the first that cannot be used."""
    present = os.environ if environment is None else environment
    _refuse_unknown(present)
    try:
        return (
            Settings.model_validate(dict(_chosen(present)))
            if environment is not None
            else Settings()
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        said = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
        if first["loc"]:
            said = f"{first['loc'][0]} cannot be used: {said}"
        raise SettingsError(f"{said}. See docs/reference/settings.md.") from None


def misspelt_names(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return variables that are close to the name of a setting, with the name that was meant.

    Names with the prefix RAGLIVE_ are not returned: `read_settings` refuses unknown ones. Other
    names may belong to other programs.
    """
    present = os.environ if environment is None else environment
    known = _known()
    found = {}
    for name in present:
        if name in known or name.startswith("RAGLIVE_"):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=MISSPELT_RATIO)
        if near and near[0] not in present:
            found[name] = near[0]
    return found


def _known() -> set[str]:
    return {name for names in variable_names().values() for name in names}


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = _known()
    for name in environment:
        if name.startswith("RAGLIVE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name} is not a setting.{hint} See docs/reference/settings.md.")


def _chosen(environment: Mapping[str, str]) -> dict[str, str]:
    known = _known()
    return {name: value for name, value in environment.items() if name in known and value}
