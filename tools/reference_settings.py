"""Every setting as the reference shows it."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from tools.reference_tables import code, table

from raglive.settings import Settings, variable_names

__all__ = ["GROUPS", "settings"]

GROUPS = {
    "Where things are": ("environment", "host", "data_dir", "database_url", "redis_url"),
    "Logs": ("log_level", "log_format"),
    "Servers": (
        "status_port",
        "dashboard_port",
        "status_url",
        "socket_path",
        "allowed_hosts",
        "cors_origins",
        "trusted_proxies",
        "heartbeat_interval",
        "socket_timeout",
    ),
    "Tokens": (
        "jwt_secret",
        "supabase_url",
        "supabase_jwt_secret",
        "jwks_url",
        "jwt_issuer",
        "jwt_audience",
    ),
    "Limits": (
        "max_connections",
        "max_connections_per_address",
        "max_connections_per_subject",
        "max_subscriptions",
        "max_pipelines",
        "address_connections_per_second",
        "address_requests_per_second",
        "subject_requests_per_second",
        "connection_requests_per_second",
        "pipeline_events_per_second",
        "handshake_seconds",
        "idle_seconds",
    ),
    "Pipelines": (
        "pipeline_id",
        "pipeline_type",
        "pipeline_types",
        "run_mode",
        "check_interval",
        "workers",
        "lease_seconds",
        "stuck_seconds",
        "max_attempts",
        "extraction_timeout_seconds",
        "extraction_memory_bytes",
        "max_file_bytes",
        "ocr_languages",
    ),
    "Local files": ("watch_directory", "ignore_patterns", "local_files_port"),
    "Google Drive": (
        "watch_folder_ids",
        "google_credentials",
        "google_service_account_file",
        "google_impersonate_user",
        "google_token_file",
        "google_api_url",
        "google_push_url",
        "google_full_listing_seconds",
        "google_drive_port",
    ),
    "Embeddings": (
        "embedding_provider",
        "embedding_model",
        "embedding_api_key",
        "embedding_base_url",
        "embedding_dimensions",
        "embedding_concurrency",
        "embedding_timeout_seconds",
        "embedding_price",
        "embedding_budget",
        "embedding_budget_period",
    ),
    "Search": ("text_search_config",),
}
_WORDS = {str: "text", int: "whole number", float: "number", Path: "path", SecretStr: "secret"}


def settings() -> str:
    """Return a table for each group; a setting that no group names comes last."""
    fields = Settings.model_fields
    named = {field for group in GROUPS.values() for field in group}
    rest = tuple(field for field in fields if field not in named)
    groups = {**GROUPS, **({"Others": rest} if rest else {})}
    return "\n".join(
        f"## {title}\n\n{_group([name for name in names if name in fields])}"
        for title, names in groups.items()
    )


def _group(names: list[str]) -> str:
    variables = variable_names()
    rows = [
        (
            ", or ".join(code(name) for name in variables[field]),
            _kind(Settings.model_fields[field]),
            _default(field),
            _sentence(Settings.model_fields[field].description or ""),
        )
        for field in names
    ]
    return table(("Variable", "Type", "Default", "Meaning"), rows)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _kind(info: FieldInfo) -> str:
    kind, limits = _unwrapped(info.annotation)
    limits += [_bound(it) for it in info.metadata]
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(code(choice) for choice in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list"
    return ", ".join([_WORDS.get(kind, "text"), *filter(None, limits)])


def _unwrapped(kind: Any) -> tuple[Any, list[str]]:
    """Take `Annotated` and `| None` off; return what they limited."""
    limits: list[str] = []
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind, *metadata = typing.get_args(kind)
            for it in metadata:
                limits += [_bound(each) for each in getattr(it, "metadata", [it])]
        elif isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kind = next(it for it in typing.get_args(kind) if it is not type(None))
        else:
            return kind, limits


def _bound(limit: object) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "min_length": "at least"}
    unit = {"min_length": " characters"}
    found = [
        f"{word} {getattr(limit, name)}{unit.get(name, '')}"
        for name, word in words.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(found)


def _default(field: str) -> str:
    if field == "workers":
        return "cores, at most 8"
    default = Settings.model_fields[field].default
    if default is None or default == ():
        return ""
    return code(",".join(default) if isinstance(default, tuple) else default)
