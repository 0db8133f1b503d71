"""Settings of pipelines and what they watch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from raglive.settings.kinds import AtLeastOne, Listed, Port, Positive
from raglive_contract.model import PipelineId, PipelineType

__all__ = ["GoogleDrive", "LocalFiles", "Pipelines"]


class Pipelines(BaseModel):
    """Pipelines."""

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
    pipeline_types: Listed = Field(
        ("google_drive", "local_files"),
        validation_alias="RAGLIVE_PIPELINE_TYPES",
        description="types, comma separated, for which the status server has namespaces",
    )
    run_mode: Literal["continuous", "single"] = Field(
        "continuous",
        validation_alias="RUN_MODE",
        description="`single` processes the current files and exits",
    )
    check_interval: Positive = Field(
        60,
        validation_alias="CHECK_INTERVAL",
        description="seconds between full checks of the source",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        min(os.cpu_count() or 1, 8),
        validation_alias="RAGLIVE_WORKERS",
        description="files processed at the same time; by default the number of cores, at most 8",
    )
    lease_seconds: Positive = Field(
        15,
        validation_alias="RAGLIVE_LEASE_SECONDS",
        description="seconds without a heartbeat after which another worker takes over a file",
    )
    stuck_seconds: Annotated[float, Field(ge=2)] = Field(
        60,
        validation_alias="RAGLIVE_STUCK_SECONDS",
        description="seconds without progress after which a file counts as stuck",
    )
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = Field(
        5,
        validation_alias="RAGLIVE_MAX_ATTEMPTS",
        description="attempts at a file that fails for a transient reason",
    )
    extraction_timeout_seconds: Positive = Field(
        300,
        validation_alias="RAGLIVE_EXTRACTION_TIMEOUT_SECONDS",
        description="time limit in seconds for reading one file",
    )
    extraction_memory_bytes: Annotated[int, Field(ge=2**28)] = Field(
        2**31,
        validation_alias="RAGLIVE_EXTRACTION_MEMORY_BYTES",
        description="memory limit for reading one file",
    )
    max_file_bytes: AtLeastOne = Field(
        512 * 2**20,
        validation_alias="RAGLIVE_MAX_FILE_BYTES",
        description="larger files are skipped",
    )
    ocr_languages: (
        Annotated[str, Field(pattern=r"^[A-Za-z_]{2,24}(\+[A-Za-z_]{2,24}){0,7}$")] | None
    ) = Field(
        None,
        validation_alias="RAGLIVE_OCR_LANGUAGES",
        description="languages for text recognition in scans and pictures, as Tesseract names them "
        "(`eng+deu`); unset, there is no text recognition",
    )


class LocalFiles(BaseModel):
    """Local files."""

    watch_directory: Path | None = Field(
        None,
        validation_alias="RAG_WATCH_DIRECTORY",
        description="folder that the local-files pipeline watches",
    )
    ignore_patterns: Listed = Field(
        (),
        validation_alias="RAGLIVE_IGNORE_PATTERNS",
        description="globs of files to ignore, comma separated",
    )
    follow_links: bool = Field(
        default=False,
        validation_alias="RAGLIVE_FOLLOW_LINKS",
        description="whether to follow links in the watched folder that lead out of it",
    )
    local_files_port: Port = Field(
        8005,
        validation_alias="RAGLIVE_LOCAL_FILES_PORT",
        description="port of the local-files pipeline's health endpoint",
    )


class GoogleDrive(BaseModel):
    """Google Drive."""

    watch_folder_ids: Listed = Field(
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
        description="file in which `raglive login google` stores its token; by default in the "
        "user's configuration folder",
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
        "reports changes to it",
    )
    google_full_listing_seconds: Positive = Field(
        21600,
        validation_alias="RAGLIVE_GOOGLE_FULL_LISTING_SECONDS",
        description="seconds between full listings, which find changes that the change logs missed",
    )
    google_quota_per_minute: Annotated[int, Field(ge=1000)] = Field(
        300_000,
        validation_alias="RAGLIVE_GOOGLE_QUOTA_PER_MINUTE",
        description="most quota units of the Drive API that a pipeline process uses in a minute; "
        "Google allows an account 325,000 of most projects",
    )
    google_drive_port: Port = Field(
        8004,
        validation_alias="RAGLIVE_GOOGLE_DRIVE_PORT",
        description="port of the Google Drive pipeline's health endpoint",
    )
