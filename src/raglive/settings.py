"""Every setting, read once from the environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from raglive.contract.errors import RagliveError
from raglive.contract.model import PipelineId, PipelineType

__all__ = ["Settings", "SettingsError", "read_settings"]


def _web_address(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise ValueError("it is not an address like https://example.com")
    return text.rstrip("/")


Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[float, Field(gt=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Url = Annotated[str, AfterValidator(_web_address)]


class SettingsError(RagliveError):
    """A setting is unknown, or its value cannot be used."""

    code = "settings_invalid"


class Settings(BaseSettings):
    """What the environment says; every field is one variable, named by its alias."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    environment: str = Field(
        "development",
        validation_alias="ENVIRONMENT",
        description="`production` asks for more care: JSON logs, and tokens for the dashboard",
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias="RAGLIVE_HOST",
        description="address that the servers listen on",
    )
    data_dir: Path | None = Field(
        None,
        validation_alias="RAGLIVE_DATA_DIR",
        description="folder of the embedded database; by default one for each watched folder",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="RAGLIVE_LOG_LEVEL", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        validation_alias="RAGLIVE_LOG_FORMAT",
        description="`auto` is console on a terminal, else JSON",
    )

    jwt_secret: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        None,
        validation_alias="RAGLIVE_JWT_SECRET",
        description="secret that signs raglive's own tokens; by default made on first start",
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Postgres 15 or newer with pgvector; unset, the embedded server is used",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="Redis, for hints between several status servers",
    )
    supabase_url: Url | None = Field(
        None,
        validation_alias="SUPABASE_URL",
        description="address of the Supabase project, whose tokens are accepted",
    )
    supabase_jwt_secret: SecretStr | None = Field(
        None,
        validation_alias="SUPABASE_JWT_SECRET",
        description="secret that signs the Supabase project's tokens",
    )
    jwks_url: Url | None = Field(
        None,
        validation_alias="RAGLIVE_JWKS_URL",
        description="address of the public keys (JWKS) of another issuer of tokens",
    )
    jwt_issuer: str | None = Field(
        None,
        validation_alias="RAGLIVE_JWT_ISSUER",
        description="what that issuer's tokens say in `iss`, exactly",
    )
    jwt_audience: str | None = Field(
        None,
        validation_alias="RAGLIVE_JWT_AUDIENCE",
        description="what that issuer's tokens for raglive say in `aud`",
    )

    status_port: Port = Field(
        8103, validation_alias="SOCKET_IO_PORT", description="port of the status server"
    )
    socket_path: str = Field(
        "/socket.io", validation_alias="SOCKET_IO_PATH", description="path of Socket.IO"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SOCKET_IO_CORS_ORIGIN",
        description="origins, comma separated, whose pages may connect, beside the dashboard's own",
    )
    heartbeat_interval: Positive = Field(
        30,
        validation_alias="SOCKET_IO_HEARTBEAT_INTERVAL",
        description="seconds between `heartbeat` events of a pipeline",
    )
    socket_timeout: Annotated[int, Field(ge=1)] = Field(
        60,
        validation_alias="SOCKET_IO_TIMEOUT",
        description="seconds without an answer after which a connection is closed",
    )
    status_url: str | None = Field(
        None,
        validation_alias="RAGLIVE_STATUS_URL",
        description="public address of the status server, when it is not the host and port",
    )
    dashboard_port: Port = Field(
        3000, validation_alias="RAGLIVE_DASHBOARD_PORT", description="port of the dashboard server"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="RAGLIVE_ALLOWED_HOSTS",
        description="host names, comma separated, that requests may be addressed to",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        validation_alias="RAGLIVE_TRUSTED_PROXIES",
        description="addresses or networks, comma separated, of proxies whose `X-Forwarded-For` "
        "says who calls",
    )

    max_connections: AtLeastOne = Field(
        10_000, validation_alias="RAGLIVE_MAX_CONNECTIONS", description="connections at once"
    )
    max_connections_per_address: AtLeastOne = Field(
        1000,
        validation_alias="RAGLIVE_MAX_CONNECTIONS_PER_ADDRESS",
        description="connections at once of one address, this machine's own left out",
    )
    max_connections_per_subject: AtLeastOne = Field(
        5000,
        validation_alias="RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT",
        description="connections to namespaces at once with tokens of one subject",
    )
    max_subscriptions: AtLeastOne = Field(
        1000,
        validation_alias="RAGLIVE_MAX_SUBSCRIPTIONS",
        description="pipelines that one connection may watch",
    )
    max_pipelines: AtLeastOne = Field(
        10_000,
        validation_alias="RAGLIVE_MAX_PIPELINES",
        description="pipelines, each with its room, until publishing makes no more",
    )
    address_connections_per_second: Positive = Field(
        50,
        validation_alias="RAGLIVE_ADDRESS_CONNECTIONS_PER_SECOND",
        description="new connections a second of one address, ten seconds of it at once",
    )
    address_requests_per_second: Positive = Field(
        500,
        validation_alias="RAGLIVE_ADDRESS_REQUESTS_PER_SECOND",
        description="HTTP requests a second of one address, two seconds of it at once",
    )
    subject_requests_per_second: Positive = Field(
        1000,
        validation_alias="RAGLIVE_SUBJECT_REQUESTS_PER_SECOND",
        description="requests a second to the status server with tokens of one subject",
    )
    connection_requests_per_second: Positive = Field(
        100,
        validation_alias="RAGLIVE_CONNECTION_REQUESTS_PER_SECOND",
        description="requests a second over one connection, two seconds of it at once",
    )
    pipeline_events_per_second: Positive = Field(
        50_000,
        validation_alias="RAGLIVE_PIPELINE_EVENTS_PER_SECOND",
        description="events a second that are taken for one pipeline",
    )
    handshake_seconds: Positive = Field(
        10,
        validation_alias="RAGLIVE_HANDSHAKE_SECONDS",
        description="seconds in which a connection must enter a namespace with a token",
    )
    idle_seconds: Positive = Field(
        900,
        validation_alias="RAGLIVE_IDLE_SECONDS",
        description="seconds after which a connection that watches and asks nothing is closed",
    )

    pipeline_id: PipelineId | None = Field(
        None,
        validation_alias="RAG_PIPELINE_ID",
        description="name of the pipeline; by default its type and `-pipeline`",
    )
    pipeline_type: PipelineType | None = Field(
        None,
        validation_alias="RAG_PIPELINE_TYPE",
        description="type of the pipeline, and name of its namespace",
    )
    pipeline_types: Annotated[tuple[str, ...], NoDecode] = Field(
        ("google_drive", "local_files"),
        validation_alias="RAGLIVE_PIPELINE_TYPES",
        description="types, comma separated, that the status server has namespaces for",
    )
    run_mode: Literal["continuous", "single"] = Field(
        "continuous",
        validation_alias="RUN_MODE",
        description="`single` processes what is there and exits",
    )
    check_interval: Positive = Field(
        60,
        validation_alias="CHECK_INTERVAL",
        description="seconds between full checks of the source",
    )
    watch_directory: Path | None = Field(
        None,
        validation_alias="RAG_WATCH_DIRECTORY",
        description="folder that the local-files pipeline watches",
    )
    ignore_patterns: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="RAGLIVE_IGNORE_PATTERNS",
        description="globs, comma separated, of files to leave out",
    )
    local_files_port: Port = Field(
        8005,
        validation_alias="RAGLIVE_LOCAL_FILES_PORT",
        description="port of the local-files pipeline's health endpoint",
    )
    google_drive_port: Port = Field(
        8004,
        validation_alias="RAGLIVE_GOOGLE_DRIVE_PORT",
        description="port of the Google Drive pipeline's health endpoint",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        min(os.cpu_count() or 1, 8),
        validation_alias="RAGLIVE_WORKERS",
        description="files processed at once; by default the number of cores, at most 8",
    )
    lease_seconds: Positive = Field(
        15,
        validation_alias="RAGLIVE_LEASE_SECONDS",
        description="seconds after which another worker takes over a silent worker's file",
    )
    stuck_seconds: Annotated[float, Field(ge=2)] = Field(
        60,
        validation_alias="RAGLIVE_STUCK_SECONDS",
        description="time without progress after which a file is said to be stuck",
    )
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = Field(
        5,
        validation_alias="RAGLIVE_MAX_ATTEMPTS",
        description="attempts at a file that fails for a passing reason",
    )
    extraction_timeout_seconds: Positive = Field(
        300,
        validation_alias="RAGLIVE_EXTRACTION_TIMEOUT_SECONDS",
        description="longest time to read one file",
    )
    extraction_memory_bytes: Annotated[int, Field(ge=2**28)] = Field(
        2**31,
        validation_alias="RAGLIVE_EXTRACTION_MEMORY_BYTES",
        description="most memory to read one file",
    )
    max_file_bytes: Annotated[int, Field(ge=1)] = Field(
        512 * 2**20,
        validation_alias="RAGLIVE_MAX_FILE_BYTES",
        description="larger files are skipped",
    )
    ocr_languages: (
        Annotated[str, Field(pattern=r"^[A-Za-z_]{2,24}(\+[A-Za-z_]{2,24}){0,7}$")] | None
    ) = Field(
        None,
        validation_alias="RAGLIVE_OCR_LANGUAGES",
        description="languages of scans and pictures, as Tesseract names them (`eng+deu`), to read "
        "the text in them; unset, it is not read",
    )

    watch_folder_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="RAG_WATCH_FOLDER_ID",
        description="Google Drive folders to watch, comma separated: ids or addresses",
    )
    google_credentials: SecretStr | None = Field(
        None,
        validation_alias="GOOGLE_DRIVE_CREDENTIALS_JSON",
        description="Google credentials, as JSON or a path",
    )
    google_service_account_file: Path | None = Field(
        None,
        validation_alias="GOOGLE_SERVICE_ACCOUNT_FILE",
        description="path of a service account's key",
    )
    google_impersonate_user: str | None = Field(
        None,
        validation_alias="GOOGLE_DRIVE_IMPERSONATE_USER",
        description="user that the service account acts for",
    )
    google_token_file: Path | None = Field(
        None,
        validation_alias="RAGLIVE_GOOGLE_TOKEN_FILE",
        description="where `raglive login google` keeps its token; by default with the user's own "
        "configuration",
    )
    google_api_url: str = Field(
        "https://www.googleapis.com",
        validation_alias="RAGLIVE_GOOGLE_API_URL",
        description="address of the Drive API",
    )
    google_push_url: str | None = Field(
        None,
        validation_alias="RAGLIVE_GOOGLE_PUSH_URL",
        description="public HTTPS address that leads to the Google Drive pipeline's port; Google "
        "tells it of changes",
    )
    google_full_listing_seconds: Positive = Field(
        21600,
        validation_alias="RAGLIVE_GOOGLE_FULL_LISTING_SECONDS",
        description="seconds between full listings, which find what change logs did not tell of",
    )

    embedding_provider: Literal["builtin", "openai"] = Field(
        "builtin",
        validation_alias="EMBEDDING_PROVIDER",
        description="`builtin` needs no key; `openai` is any compatible endpoint",
    )
    embedding_model: str | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_MODEL", "EMBEDDING_MODEL_CHOICE"),
        description="model of the embedding provider",
    )
    embedding_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_API_KEY", "OPENAI_API_KEY"),
        description="key of the embedding provider",
    )
    embedding_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_BASE_URL", "OPENAI_BASE_URL"),
        description="address of the embedding provider",
    )
    embedding_dimensions: Annotated[int, Field(ge=1, le=16000)] | None = Field(
        None,
        validation_alias="RAGLIVE_EMBEDDING_DIMENSIONS",
        description="dimensions to ask the provider for, when not the model's own",
    )
    embedding_concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        4,
        validation_alias="RAGLIVE_EMBEDDING_CONCURRENCY",
        description="requests to the embedding provider at once",
    )
    embedding_timeout_seconds: Positive = Field(
        60,
        validation_alias="RAGLIVE_EMBEDDING_TIMEOUT_SECONDS",
        description="longest time that the embedding provider may take for a request",
    )
    embedding_price: Annotated[float, Field(ge=0)] = Field(
        0,
        validation_alias="RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS",
        description="what the embedding provider takes for a million tokens, in any currency",
    )
    embedding_budget: Positive | None = Field(
        None,
        validation_alias="RAGLIVE_EMBEDDING_BUDGET",
        description="most that a pipeline may spend on embeddings in a period, in the currency of "
        "the price; then it pauses",
    )
    embedding_budget_period: Literal["day", "month", "total"] = Field(
        "month",
        validation_alias="RAGLIVE_EMBEDDING_BUDGET_PERIOD",
        description="days and months (UTC) begin anew; `total` does not",
    )

    text_search_config: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "simple",
        validation_alias="RAGLIVE_TEXT_SEARCH_CONFIG",
        description="Postgres' text search configuration, by which words are found: `english` also "
        "finds other forms of a word",
    )

    @field_validator(
        "watch_folder_ids",
        "cors_origins",
        "allowed_hosts",
        "trusted_proxies",
        "pipeline_types",
        "ignore_patterns",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if origin != "*" and f"{parts.scheme}://{parts.netloc}" != origin.lower():
                raise ValueError(f"{origin!r} is not an origin like https://example.com, or `*`")
        return tuple(origin.lower() for origin in origins)

    @field_validator("allowed_hosts")
    @classmethod
    def _are_host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if "/" in name or (":" in name and not name.count(":") > 1):
                raise ValueError(f"{name!r} is not a host name alone, without scheme and port")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if proxy != "*":
                ip_network(proxy)
        return proxies

    @model_validator(mode="after")
    def _issuer_is_whole(self) -> Self:
        parts = (self.jwks_url, self.jwt_issuer, self.jwt_audience)
        if any(parts) and not all(parts):
            raise ValueError(
                "RAGLIVE_JWKS_URL, RAGLIVE_JWT_ISSUER and RAGLIVE_JWT_AUDIENCE go together"
            )
        return self

    @model_validator(mode="after")
    def _budget_has_a_price(self) -> Self:
        if self.embedding_budget is not None and not self.embedding_price:
            raise ValueError(
                "RAGLIVE_EMBEDDING_BUDGET needs RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS"
            )
        return self

    @property
    def is_production(self) -> bool:
        """Say whether this runs for others than its own machine's user."""
        return self.environment == "production"

    @property
    def public_status_url(self) -> str:
        """Return where browsers find the status server."""
        return self.status_url or f"http://{_reachable(self.host)}:{self.status_port}"


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
        said = str(first["msg"]).removeprefix("Value error, ")
        if first["loc"]:
            said = f"{first['loc'][0]} cannot be used: {said}"
        raise SettingsError(f"{said}. See docs/reference/settings.md.") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {name for names in variable_names().values() for name in names}
    for name in environment:
        if name.startswith("RAGLIVE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name} is not a setting.{hint} See docs/reference/settings.md.")


def _chosen(environment: Mapping[str, str]) -> dict[str, str]:
    known = {name for names in variable_names().values() for name in names}
    return {name: value for name, value in environment.items() if name in known and value}


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound
