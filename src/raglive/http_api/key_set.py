"""The public keys of a token issuer (JWKS), cached.

Keys are cached for ten minutes, and longer only while the issuer does not answer. An unknown key id
triggers a read at once, but at most one every ten seconds for all callers together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from httpx import AsyncClient, HTTPError, InvalidURL

from raglive.http_api.allowed_hosts import is_loopback
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["ALGORITHMS", "KeySet", "PublicKey"]

log = structlog.get_logger()

CACHE_SECONDS = 600.0
PAUSE_SECONDS = 10.0
FETCH_SECONDS = 4.0
MAX_BYTES = 256 * 1024
MAX_KEYS = 64
MIN_RSA_BITS = 2048
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

# For each key type and curve: the only algorithm, and the members of the public key.
_KINDS: Mapping[tuple[str, str | None], tuple[str, tuple[str, ...]]] = {
    ("RSA", None): ("RS256", ("n", "e")),
    ("EC", "P-256"): ("ES256", ("crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("crv", "x")),
}
ALGORITHMS = frozenset(algorithm for algorithm, _ in _KINDS.values())


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key, and the only algorithm that it verifies."""

    algorithm: str
    key: Any


class KeySet:
    """The keys that are published at one URL."""

    def __init__(
        self,
        url: str,
        *,
        cache_seconds: float = CACHE_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._url = url
        self._cache_seconds = cache_seconds
        self._pause_seconds = pause_seconds
        self._fetch_seconds = fetch_seconds
        self._keys: dict[str | None, PublicKey] = {}
        self._read_at = float("-inf")
        self._next_try = float("-inf")
        self._is_unavailable = False
        self._reading: asyncio.Task[None] | None = None
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname):
            log.warning("keys_without_tls", url=url, risk="a man in the middle can forge tokens")

    async def find(self, kid: str | None) -> PublicKey | None:
        """Find a key by its id; without an id, the only key.

        Raises `unavailable` for an unknown id while the issuer does not answer.
        """
        age = asyncio.get_running_loop().time() - self._read_at
        if age > self._cache_seconds or self._known(kid) is None:
            await self._renew()
        found = self._known(kid)
        if found is None and self._is_unavailable:
            raise RagliveError(
                "The keys of the token's issuer cannot be read now. Try again.",
                code=ErrorCode.UNAVAILABLE,
                retryable=True,
                retry_after_ms=int(self._pause_seconds * 1000),
            )
        return found

    def _known(self, kid: str | None) -> PublicKey | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    async def _renew(self) -> None:
        """Read the keys again, unless that was done just now; concurrent callers share one read."""
        if self._reading is None or self._reading.done():
            if asyncio.get_running_loop().time() < self._next_try:
                return
            self._reading = asyncio.create_task(self._read(), name="issuer-keys")
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._fetch_seconds):
                keys = dict(_usable(await _fetch(self._url)))
        except (HTTPError, InvalidURL, OSError, TimeoutError, ValueError, RecursionError) as error:
            self._is_unavailable = True
            reason = f"{type(error).__name__}: {error}"[:200]
            log.warning("keys_not_read", url=self._url, reason=reason, cached=len(self._keys))
        else:
            if keys.keys() != self._keys.keys():
                log.info("keys_read", url=self._url, ids=sorted(str(kid) for kid in keys))
            self._keys, self._is_unavailable, self._read_at = keys, False, loop.time()
        self._next_try = loop.time() + self._pause_seconds


async def _fetch(url: str) -> list[Any]:
    """Read the list `keys`. A compressed answer is refused: a few KiB can expand to gigabytes."""
    body = bytearray()
    async with (
        AsyncClient(timeout=FETCH_SECONDS) as client,
        client.stream("GET", url, headers=_HEADERS) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"the answer has status {answer.status_code}")
        if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise ValueError("the answer is compressed, although that was not asked for")
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"the answer is larger than {MAX_BYTES} bytes")
    document = orjson.loads(body)
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is not a JWKS: it has no list `keys`")  # noqa: TRY004
    return keys[:MAX_KEYS]


def _usable(keys: list[Any]) -> Iterator[tuple[str | None, PublicKey]]:
    for stated in keys:
        try:
            yield _read_key(stated)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            log.info("key_ignored", reason=str(error)[:200])


def _read_key(stated: Any) -> tuple[str | None, PublicKey]:
    """Parse a key of the set. Raises ValueError for one that must not verify tokens."""
    if not isinstance(stated, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - like any other fault of the input
    kid, kind, curve = stated.get("kid"), stated.get("kty"), stated.get("crv")
    known = _KINDS.get((str(kind), curve if isinstance(curve, str) else None))
    if known is None:
        raise ValueError(f"its kind is {str(kind)[:16]!r} {str(curve)[:16]!r}")
    algorithm, members = known
    if stated.get("alg", algorithm) != algorithm or stated.get("use", "sig") != "sig":
        raise ValueError(f"it is not for signing with {algorithm}")
    public = {"kty": kind} | {name: stated.get(name) for name in members}
    key = jwt.PyJWK(public, algorithm).key
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"it has fewer than {MIN_RSA_BITS} bits")
    return (kid if isinstance(kid, str) else None), PublicKey(algorithm, key)
