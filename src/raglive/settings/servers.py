"""Settings of the two servers."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from raglive.settings.kinds import AtLeastOne, Listed, Port, Positive, Url, refuse_credentials

__all__ = ["Limits", "Servers"]

_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", re.ASCII)


class Servers(BaseModel):
    """Servers."""

    status_port: Port = Field(
        8103, validation_alias="SOCKET_IO_PORT", description="port of the status server"
    )
    dashboard_port: Port = Field(
        3000, validation_alias="RAGLIVE_DASHBOARD_PORT", description="port of the dashboard server"
    )
    status_url: Url | Literal["."] | None = Field(
        None,
        validation_alias="RAGLIVE_STATUS_URL",
        description="public address of the status server, which browsers use, if it differs from "
        "host and port; `.` is the address of the page",
    )
    status_internal_url: Url | None = Field(
        None,
        validation_alias="RAGLIVE_STATUS_INTERNAL_URL",
        description="address at which the dashboard server reaches the status server, if that "
        "runs on another machine",
    )
    base_path: str = Field(
        "",
        validation_alias="RAGLIVE_BASE_PATH",
        description="path such as `/rag` at which a proxy serves both servers, if the proxy does "
        "not remove it",
    )
    server_name: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,32}$",
        validation_alias="RAGLIVE_SERVER_NAME",
        description="name of this status server among several, at the end of its session ids, by "
        "which a proxy finds the server of a session",
    )
    metrics_pipeline_label: bool = Field(
        default=False,
        validation_alias="RAGLIVE_METRICS_PIPELINE_LABEL",
        description="whether metrics of the status server name pipelines, which `/metrics` then "
        "shows without a token; otherwise they show types",
    )
    socket_path: str = Field(
        "/socket.io", validation_alias="SOCKET_IO_PATH", description="path of Socket.IO"
    )
    allowed_hosts: Listed = Field(
        (),
        validation_alias="RAGLIVE_ALLOWED_HOSTS",
        description="further host names that requests may use, comma separated",
    )
    cors_origins: Listed = Field(
        (),
        validation_alias="SOCKET_IO_CORS_ORIGIN",
        description="origins whose pages may connect in addition to the dashboard, comma separated",
    )
    trusted_proxies: Listed = Field(
        ("127.0.0.1", "::1"),
        validation_alias="RAGLIVE_TRUSTED_PROXIES",
        description="addresses or networks of proxies, comma separated, whose `X-Forwarded-For` "
        "is trusted",
    )
    heartbeat_interval: Positive = Field(
        30,
        validation_alias="SOCKET_IO_HEARTBEAT_INTERVAL",
        description="seconds between `heartbeat` events of a pipeline",
    )
    socket_timeout: AtLeastOne = Field(
        60,
        validation_alias="SOCKET_IO_TIMEOUT",
        description="seconds without an answer after which a connection is closed",
    )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            refuse_credentials(origin)
            parts = urlsplit(origin)
            if origin != "*" and f"{parts.scheme}://{parts.netloc}" != origin.lower():
                raise ValueError(f"{origin!r} is not an origin like https://example.com, or `*`")
        return tuple(origin.lower() for origin in origins)

    @field_validator("base_path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not _BASE_PATH.fullmatch(path):
            raise ValueError(f"{path!r} is not a path like /rag")
        return path

    @field_validator("allowed_hosts")
    @classmethod
    def _are_host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if "/" in name or (":" in name and not name.count(":") > 1):
                raise ValueError(f"{name!r} is not a host name without scheme and port")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if proxy != "*":
                ip_network(proxy)
        return proxies


class Limits(BaseModel):
    """Limits."""

    max_connections: AtLeastOne = Field(
        10_000, validation_alias="RAGLIVE_MAX_CONNECTIONS", description="simultaneous connections"
    )
    max_connections_per_address: AtLeastOne = Field(
        1000,
        validation_alias="RAGLIVE_MAX_CONNECTIONS_PER_ADDRESS",
        description="simultaneous connections from one address; loopback is not limited",
    )
    max_connections_per_subject: AtLeastOne = Field(
        5000,
        validation_alias="RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT",
        description="simultaneous connections to namespaces with tokens of one subject",
    )
    max_subscriptions: AtLeastOne = Field(
        1000,
        validation_alias="RAGLIVE_MAX_SUBSCRIPTIONS",
        description="pipelines that one connection may subscribe to",
    )
    max_pipelines: AtLeastOne = Field(
        10_000,
        validation_alias="RAGLIVE_MAX_PIPELINES",
        description="pipelines beyond which publishing creates no more",
    )
    address_connections_per_second: Positive = Field(
        50,
        validation_alias="RAGLIVE_ADDRESS_CONNECTIONS_PER_SECOND",
        description="new connections per second from one address; bursts of ten seconds' worth",
    )
    address_requests_per_second: Positive = Field(
        500,
        validation_alias="RAGLIVE_ADDRESS_REQUESTS_PER_SECOND",
        description="HTTP requests per second from one address; bursts of two seconds' worth",
    )
    subject_requests_per_second: Positive = Field(
        1000,
        validation_alias="RAGLIVE_SUBJECT_REQUESTS_PER_SECOND",
        description="requests per second to the status server with tokens of one subject",
    )
    connection_requests_per_second: Positive = Field(
        100,
        validation_alias="RAGLIVE_CONNECTION_REQUESTS_PER_SECOND",
        description="requests per second over one connection; bursts of two seconds' worth",
    )
    pipeline_events_per_second: Positive = Field(
        50_000,
        validation_alias="RAGLIVE_PIPELINE_EVENTS_PER_SECOND",
        description="events per second that are accepted for one pipeline",
    )
    subject_events_per_day: AtLeastOne = Field(
        10_000_000,
        validation_alias="RAGLIVE_SUBJECT_EVENTS_PER_DAY",
        description="events a day (UTC) that the status servers accept with tokens of one subject",
    )
    subject_bytes_per_day: AtLeastOne = Field(
        10 * 2**30,
        validation_alias="RAGLIVE_SUBJECT_BYTES_PER_DAY",
        description="bytes of events a day (UTC) that the status servers accept with tokens of one "
        "subject",
    )
    subject_pipelines_per_day: AtLeastOne = Field(
        1000,
        validation_alias="RAGLIVE_SUBJECT_PIPELINES_PER_DAY",
        description="pipelines a day (UTC) that publishing with tokens of one subject creates",
    )
    handshake_seconds: Positive = Field(
        10,
        validation_alias="RAGLIVE_HANDSHAKE_SECONDS",
        description="seconds within which a connection must join a namespace with a token",
    )
    idle_seconds: Positive = Field(
        900,
        validation_alias="RAGLIVE_IDLE_SECONDS",
        description="seconds without subscription and request after which a connection is closed",
    )
