"""Settings of the two servers."""

from __future__ import annotations

from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from raglive.settings.kinds import AtLeastOne, Listed, Port, Positive

__all__ = ["Limits", "Servers"]


class Servers(BaseModel):
    """Servers."""

    status_port: Port = Field(
        8103, validation_alias="SOCKET_IO_PORT", description="port of the status server"
    )
    dashboard_port: Port = Field(
        3000, validation_alias="RAGLIVE_DASHBOARD_PORT", description="port of the dashboard server"
    )
    status_url: str | None = Field(
        None,
        validation_alias="RAGLIVE_STATUS_URL",
        description="public address of the status server, when it is not the host and port",
    )
    socket_path: str = Field(
        "/socket.io", validation_alias="SOCKET_IO_PATH", description="path of Socket.IO"
    )
    allowed_hosts: Listed = Field(
        (),
        validation_alias="RAGLIVE_ALLOWED_HOSTS",
        description="host names, comma separated, that requests may be addressed to",
    )
    cors_origins: Listed = Field(
        (),
        validation_alias="SOCKET_IO_CORS_ORIGIN",
        description="origins, comma separated, whose pages may connect, beside the dashboard's own",
    )
    trusted_proxies: Listed = Field(
        ("127.0.0.1", "::1"),
        validation_alias="RAGLIVE_TRUSTED_PROXIES",
        description="addresses or networks, comma separated, of proxies whose `X-Forwarded-For` "
        "says who calls",
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


class Limits(BaseModel):
    """Limits."""

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
