"""HTTP as uvicorn speaks it, with our own refusal of what is no request."""

from __future__ import annotations

import asyncio
import socket

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["HttpProtocol"]

MAX_UNSENT_BYTES = 128 * 1024


class HttpProtocol(HttpToolsProtocol):
    """Answers with the error object even where no application is asked.

    The system keeps little for who does not read: else it takes megabytes, and the time to fill
    them, until the server notices.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a connection."""
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES
            )
        super().connection_made(transport)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and close the connection."""
        refusal = RagliveError(
            f"{msg} It may be no HTTP/1.1, or its address is longer than 64 KiB.",
            code=ErrorCode.INVALID_REQUEST,
        )
        body = orjson.dumps({"error": refusal.body()})
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
