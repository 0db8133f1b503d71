"""A token issuer: real keys, and an HTTP server that publishes them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key
from jwt.algorithms import get_default_algorithms

__all__ = ["AUDIENCE", "ISSUER", "KEYS", "KeyServer", "jwk", "key_server", "sign"]

ISSUER = "https://issuer.example"
AUDIENCE = "raglive-of-the-test"
KEYS: dict[str, Any] = {
    "RS256": new_rsa_key(public_exponent=65537, key_size=2048),
    "ES256": new_ec_key(SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}


def jwk(algorithm: str, **changes: Any) -> dict[str, Any]:
    """Return a public key as an issuer publishes it, with its algorithm as `kid`."""
    public = KEYS[algorithm].public_key()
    stated: dict[str, Any] = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
    stated.pop("key_ops", None)
    return stated | {"kid": algorithm, "use": "sig", "alg": algorithm} | changes


def sign(algorithm: str, *, kid: str | None = "", key: Any = None, **changes: Any) -> str:
    """Return a token of the issuer; a claim of None is omitted."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
        "jti": "token-1",
        "app_metadata": {"raglive": {"role": "viewer", "pipelines": ["team-*"]}},
    } | changes
    stated = {name: value for name, value in claims.items() if value is not None}
    headers = None if kid is None else {"kid": kid or algorithm}
    return jwt.encode(stated, key or KEYS[algorithm], algorithm=algorithm, headers=headers)


class KeyServer:
    """Answers every request with `body`, or hangs; counts them."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.status = 200
        self.hangs = False
        self.headers: dict[str, str] = {}
        self.asked = ""
        self.publish(*KEYS)

    def publish(self, *algorithms: str) -> None:
        self.body = orjson.dumps({"keys": [jwk(one) for one in algorithms]})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # the caller has timed out
            writer.close()
            return
        self.requests += 1
        if self.hangs:
            await reader.read()  # until the caller's time-out
        head = f"HTTP/1.1 {self.status} Here\r\nContent-Length: {len(self.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + self.body)
        writer.close()


@asynccontextmanager
async def key_server() -> AsyncIterator[KeyServer]:
    served = KeyServer()
    server = await asyncio.start_server(served.answer, "127.0.0.1", 0)
    async with server:
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
        yield served
