"""Checks that a port is free, and names the process that holds it."""

from __future__ import annotations

import socket

import psutil

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["PortInUse", "require_free_port"]


class PortInUse(RagliveError):
    """Another program listens on a port that is needed."""

    code = ErrorCode.PORT_IN_USE


def require_free_port(host: str, port: int, *, setting: str, purpose: str) -> None:
    """Raise `PortInUse`, with the process that holds the port and the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Port {port} on {host}, for {purpose}, cannot be used: "
                f"{error.strerror}{_holder(port)}. "
                f"Stop what uses it, or set {setting} to another port."
            ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
            ):
                name = psutil.Process(connection.pid).name() if connection.pid else "unknown"
                return f" (process {connection.pid}, {name})"
    except (psutil.Error, OSError):
        pass
    return ""
