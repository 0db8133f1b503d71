"""Settings of an installation as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from raglive.settings.database_url import usable_database_url
from raglive.settings.kinds import AtLeastOne, Url
from raglive.settings.redis_url import usable_redis_url

__all__ = ["Logs", "Places", "Retained", "Tokens"]


class Places(BaseModel):
    """Installation."""

    environment: str = Field(
        "development",
        validation_alias="ENVIRONMENT",
        description="`production`: JSON logs, on a terminal too",
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
    database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Postgres 15 or newer with pgvector; unset, the embedded server is used",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="Redis, which carries progress and heartbeats between pipelines and several "
        "status servers; unset, Postgres does",
    )

    @field_validator("database_url")
    @classmethod
    def _is_usable(cls, url: SecretStr | None) -> SecretStr | None:
        return url and SecretStr(usable_database_url(url.get_secret_value()))

    @field_validator("redis_url")
    @classmethod
    def _names_redis(cls, url: SecretStr | None) -> SecretStr | None:
        return url and SecretStr(usable_redis_url(url.get_secret_value()))

    @property
    def is_production(self) -> bool:
        """Whether logs are JSON even on a terminal."""
        return self.environment == "production"


class Logs(BaseModel):
    """Logs."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="RAGLIVE_LOG_LEVEL", description="lowest level to log"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        validation_alias="RAGLIVE_LOG_FORMAT",
        description="`auto` is console on a terminal, else JSON",
    )


class Retained(BaseModel):
    """Retention."""

    keep_events_days: AtLeastOne = Field(
        30,
        validation_alias="RAGLIVE_KEEP_EVENTS_DAYS",
        description="days for which the log retains events, and with them attempts and the rows "
        "of deleted files",
    )
    keep_audit_days: AtLeastOne = Field(
        365,
        validation_alias="RAGLIVE_KEEP_AUDIT_DAYS",
        description="days for which the audit log retains entries, at most 100,000 of them",
    )


class Tokens(BaseModel):
    """Tokens."""

    jwt_secret: Annotated[SecretStr, Field(min_length=32)] | None = Field(
        None,
        validation_alias="RAGLIVE_JWT_SECRET",
        description="secret that signs raglive's own tokens; by default created on first start",
    )
    supabase_url: Url | None = Field(
        None,
        validation_alias="SUPABASE_URL",
        description="address of the Supabase project whose tokens are accepted",
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
        description="exact `iss` of that issuer's tokens",
    )
    jwt_audience: str | None = Field(
        None,
        validation_alias="RAGLIVE_JWT_AUDIENCE",
        description="`aud` of that issuer's tokens for raglive",
    )

    @model_validator(mode="after")
    def _issuer_is_whole(self) -> Self:
        parts = (self.jwks_url, self.jwt_issuer, self.jwt_audience)
        if any(parts) and not all(parts):
            raise ValueError(
                "RAGLIVE_JWKS_URL, RAGLIVE_JWT_ISSUER and RAGLIVE_JWT_AUDIENCE must be set together"
            )
        return self
