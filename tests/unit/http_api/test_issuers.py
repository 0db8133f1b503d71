"""Tokens of other issuers, verified with the public keys that these publish."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

from raglive.http_api.key_set import KeySet
from raglive.http_api.tokens import LATEST, Issuer, Tokens
from raglive_contract.errors import RagliveError
from raglive_contract.permissions import Grant, Role
from tests.unit.http_api.issuing import AUDIENCE, ISSUER, KEYS, KeyServer, jwk, key_server, sign

LOCAL = "l" * 40
OTHER_RSA = generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with key_server() as served:
        yield served


def tokens_of(server: KeyServer, **times: float) -> Tokens:
    keys = KeySet(server.url, **times)
    return Tokens(LOCAL, None, [Issuer(ISSUER, AUDIENCE, keys)])


async def refusal(tokens: Tokens, token: str) -> RagliveError:
    with pytest.raises(RagliveError) as refused:
        await tokens.verify(token)
    return refused.value


@pytest.mark.parametrize("algorithm", KEYS)
async def test_each_kind_of_key_is_accepted(server: KeyServer, algorithm: str) -> None:
    tokens = tokens_of(server)
    for kid in (algorithm, None):
        if kid is None:  # then there must be one key only
            server.publish(algorithm)
            tokens = tokens_of(server)
        identity = await tokens.verify(sign(algorithm, kid=kid))
        assert identity.subject == "user-1"
        assert identity.token_id == "token-1"
        assert identity.grant == Grant(Role.VIEWER, ("team-*",))
        assert identity.issued_at == pytest.approx(time.time(), abs=5)


def forged(algorithm: str, secret: bytes, **claims: Any) -> str:
    """Sign a token by hand, because a library would refuse to."""
    body = jwt.decode(sign("RS256", **claims), options={"verify_signature": False})
    parts = [
        base64url_encode(orjson.dumps(part))
        for part in ({"alg": algorithm, "kid": "RS256", "typ": "JWT"}, body)
    ]
    signed = b".".join(parts)
    return (signed + b"." + base64url_encode(hmac.digest(secret, signed, "sha256"))).decode()


PUBLIC = KEYS["RS256"].public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
JWK = orjson.dumps(jwk("RS256"))
NOW = int(time.time())
REFUSED: dict[str, Callable[[], str]] = {
    "HS256 with the public key as secret": lambda: forged("HS256", PEM),
    "HS256 with the public key in DER": lambda: forged("HS256", DER),
    "HS256 with the published key": lambda: forged("HS256", JWK),
    "HS256 with the local issuer and the public key": lambda: forged("HS256", PEM, iss="raglive"),
    "a local secret for another issuer": lambda: forged("HS256", LOCAL.encode()),
    "RS256 in name, a secret in truth": lambda: forged("RS256", PEM),
    "no algorithm": lambda: forged("none", b""),
    "no algorithm, no signature": lambda: forged("none", b"").rpartition(".")[0] + ".",
    "no algorithm, in capitals": lambda: forged("NONE", b""),
    "an algorithm that the key is not for": lambda: sign("PS256", kid="RS256", key=KEYS["RS256"]),
    "a longer digest than the key is for": lambda: sign("RS512", kid="RS256", key=KEYS["RS256"]),
    "a key of another kind": lambda: sign("ES256", kid="RS256"),
    "another's key": lambda: sign("RS256", key=OTHER_RSA),
    "a key that nobody published": lambda: sign("RS256", kid="new"),
    "no key named of several": lambda: sign("RS256", kid=None),
    "another issuer": lambda: sign("RS256", iss="https://evil.example"),
    "an issuer that begins alike": lambda: sign("RS256", iss=ISSUER + "/"),
    "no issuer": lambda: sign("RS256", iss=None),
    "raglive's own name": lambda: sign("RS256", iss="raglive"),
    "another audience": lambda: sign("RS256", aud="another"),
    "no audience": lambda: sign("RS256", aud=None),
    "no subject": lambda: sign("RS256", sub=None),
    "a long subject": lambda: sign("RS256", sub="x" * 256),
    "no end": lambda: sign("RS256", exp=None),
    "not valid yet": lambda: sign("RS256", nbf=NOW + 86_400),
    "too long": lambda: sign("RS256", padding="x" * 17_000),
    "cut off": lambda: sign("RS256")[:-20],
    "changed": lambda: sign("RS256").replace(".", ".e30", 1),
    "garbage after it": lambda: sign("RS256") + "\0",
    "five parts": lambda: sign("RS256") + ".x.y",
}


async def test_forged_and_invalid_tokens_are_refused(server: KeyServer) -> None:
    tokens = tokens_of(server)
    for name, make in REFUSED.items():
        error = await refusal(tokens, make())
        assert error.code == "unauthenticated", name
        assert not error.retryable, name
    assert (await refusal(tokens, sign("RS256", exp=NOW - 5))).code == "token_expired"
    assert (await refusal(tokens, sign("RS256", app_metadata=None))).code == "forbidden"
    endless = await tokens.verify(sign("RS256", exp=10**400, iat=float("nan")))
    assert (endless.expires_at, endless.issued_at) == (LATEST, 0)
    assert server.requests == 1, "one look for the unknown keys of all of them"


async def test_keys_inside_a_token_are_not_used(server: KeyServer) -> None:
    own = {"jwk": jwk("RS256"), "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"}
    claims = jwt.decode(sign("RS256"), options={"verify_signature": False})
    token = jwt.encode(claims, OTHER_RSA, "RS256", headers=own | {"kid": "RS256"})
    assert (await refusal(tokens_of(server), token)).code == "unauthenticated"


async def test_a_new_key_is_found_and_an_old_one_is_forgotten(server: KeyServer) -> None:
    server.publish("RS256")
    tokens = tokens_of(server, cache_seconds=0.2, pause_seconds=0.05)
    await tokens.verify(sign("RS256"))
    server.publish("ES256")
    async with asyncio.timeout(10):
        while True:
            with suppress(RagliveError):
                await tokens.verify(sign("ES256"))
                break
            await asyncio.sleep(0.01)
    assert (await refusal(tokens, sign("RS256"))).code == "unauthenticated"


async def test_unknown_keys_cause_one_request_for_all_callers(
    server: KeyServer,
) -> None:
    tokens = tokens_of(server)
    asked = (refusal(tokens, sign("ES256", kid=f"new-{number}")) for number in range(50))
    assert {error.code for error in await asyncio.gather(*asked)} == {"unauthenticated"}
    await tokens.verify(sign("RS256"))
    assert server.requests == 1


@pytest.mark.parametrize("away", ["gone", "broken", "hanging"])
async def test_known_keys_are_accepted_while_the_issuer_is_unavailable(
    server: KeyServer, away: str
) -> None:
    tokens = tokens_of(server, cache_seconds=0, pause_seconds=0, fetch_seconds=2)
    await tokens.verify(sign("RS256"))
    server.hangs, server.status = away == "hanging", 503 if away == "broken" else 200
    if away == "gone":
        server.body = b"<html>"
    await tokens.verify(sign("RS256"))
    unknown = await refusal(tokens, sign("RS256", kid="new"))
    assert (unknown.code, unknown.retryable) == ("unavailable", True)
    server.hangs, server.status = False, 200
    server.publish("ES256")
    await tokens.verify(sign("ES256"))


async def test_a_compressed_answer_is_refused_before_it_is_decompressed(server: KeyServer) -> None:
    bomb = gzip.compress(b" " * 64 * 1024**2)
    server.body, server.headers = bomb, {"Content-Encoding": "gzip"}
    tracemalloc.start()
    error = await refusal(tokens_of(server), sign("RS256"))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "unavailable"
    assert peak_bytes < 8 * 1024**2
    assert "accept-encoding: identity" in server.asked.lower()


async def test_a_long_answer_is_refused(server: KeyServer) -> None:
    server.body += b" " * 256 * 1024
    assert (await refusal(tokens_of(server), sign("RS256"))).code == "unavailable"


async def test_a_cancelled_caller_does_not_cancel_the_shared_request(
    server: KeyServer,
) -> None:
    server.hangs = True
    tokens = tokens_of(server, fetch_seconds=3)
    impatient = asyncio.create_task(tokens.verify(sign("RS256")))
    patient = asyncio.create_task(refusal(tokens, sign("RS256")))
    async with asyncio.timeout(10):
        while not server.requests:
            await asyncio.sleep(0.01)
    impatient.cancel()
    assert (await patient).code == "unavailable"
    assert server.requests == 1


SMALL = generate_private_key(public_exponent=65537, key_size=1024)
OCTETS = base64.urlsafe_b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    "stated",
    [
        {"kty": "oct", "k": OCTETS, "kid": "RS256", "alg": "HS256"},
        jwk("RS256", use="enc"),
        jwk("RS256", alg="RS512"),
        jwk("RS256", n="AQAB"),
        jwk("RS256", e=None),
        jwk("RS256", kty="EC"),
        jwk("ES256", kid="RS256", crv="P-384"),
        jwk("RS256", kid=7),
        "RS256",
        None,
    ],
)
async def test_unsuitable_keys_are_ignored(server: KeyServer, stated: Any) -> None:
    server.body = orjson.dumps({"keys": [stated, jwk("EdDSA")]})
    tokens = tokens_of(server)
    await tokens.verify(sign("EdDSA"))
    assert (await refusal(tokens, sign("RS256"))).code == "unauthenticated"


async def test_a_small_key_is_ignored(server: KeyServer) -> None:
    algorithm = jwt.get_algorithm_by_name("RS256")
    small = orjson.loads(algorithm.to_jwk(SMALL.public_key()))
    server.body = orjson.dumps({"keys": [small | {"kid": "RS256"}]})
    assert (await refusal(tokens_of(server), sign("RS256"))).code == "unauthenticated"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"keys": 1}', b"{" * 100_000, b" " * 300_000, b"\xff\xfe"]
)
async def test_an_invalid_key_set_counts_as_unavailable(server: KeyServer, body: bytes) -> None:
    server.body = body
    error = await refusal(tokens_of(server), sign("RS256"))
    assert (error.code, error.retryable) == ("unavailable", True)
