"""Makes thousands of `httpx` clients in one process cheap."""

from __future__ import annotations

import functools
import sys

import httpx

__all__ = ["share_work_of_clients"]


def share_work_of_clients() -> None:
    """Cache what `httpx` repeats for each client and each request.

    A client reads the certificates: 30 ms of CPU. A request looks for the package `sniffio` in
    every folder of `sys.path`, and does not find it: 0.5 ms of CPU under pytest.
    """
    cached = functools.cache(httpx.create_ssl_context)
    vars(httpx._transports.default)["create_ssl_context"] = cached
    httpx.Client().close()  # makes the context
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
