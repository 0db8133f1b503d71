from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest

from raglive.http_api.tokens import Tokens
from raglive_contract.errors import RagliveError
from raglive_contract.permissions import Grant, Role

LOCAL = "l" * 40
SUPABASE = "s" * 40
VIEWER = Grant(Role.VIEWER, ("team-*",))
TOKENS = Tokens(LOCAL, SUPABASE)


def supabase_token(secret: str = SUPABASE, **changes: Any) -> str:
    claims = {
        "iss": "https://project.supabase.co/auth/v1",
        "aud": "authenticated",
        "sub": "user-1",
        "exp": int(time.time()) + 86_400,
        **VIEWER.claims(),
    }
    return jwt.encode(claims | changes, secret, algorithm="HS256")


async def refusal(token: str, tokens: Tokens = TOKENS) -> str:
    with pytest.raises(RagliveError) as refused:
        await tokens.verify(token)
    assert token[:20] not in refused.value.message or len(token) < 20
    return refused.value.code


async def test_an_issued_token_carries_subject_rights_and_expiry() -> None:
    identity = await TOKENS.verify(TOKENS.issue(VIEWER, 600, "me"))
    assert (identity.subject, identity.grant) == ("me", VIEWER)
    assert identity.expires_at == pytest.approx(time.time() + 600, abs=2)
    assert identity.token_id


async def test_each_issued_token_has_its_own_id() -> None:
    ids = {(await TOKENS.verify(TOKENS.issue(VIEWER, 600, "me"))).token_id for _ in range(3)}
    assert len(ids) == 3


async def test_a_supabase_token_is_accepted_by_its_own_key_alone() -> None:
    assert (await TOKENS.verify(supabase_token())).grant == VIEWER
    assert await refusal(supabase_token(), Tokens(LOCAL)) == "unauthenticated"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (TOKENS.issue(VIEWER, -5, "me"), "token_expired"),
        (supabase_token(exp=int(time.time()) - 5), "token_expired"),
        (Tokens("x" * 40).issue(VIEWER, 86_400, "me"), "unauthenticated"),
        (supabase_token(LOCAL), "unauthenticated"),  # the local key signs for `raglive` only
        (supabase_token(aud="anon"), "unauthenticated"),
        (supabase_token(exp=None), "unauthenticated"),
        (supabase_token(sub=None), "unauthenticated"),
        (supabase_token(app_metadata={}), "forbidden"),
        (supabase_token(app_metadata={}, user_metadata=VIEWER.claims()), "forbidden"),
        (jwt.encode({"sub": "me"}, "", algorithm="none"), "unauthenticated"),
        (
            jwt.encode({"sub": "me", "iss": "raglive"}, LOCAL * 2, algorithm="HS512"),
            "unauthenticated",
        ),
        ("", "unauthenticated"),
        ("not a token", "unauthenticated"),
        ("é.é.é", "unauthenticated"),
        (base64.b64encode(b"[" * 11_000).decode() + ".e30.e30", "unauthenticated"),
        ("a" * 20_000, "unauthenticated"),
    ],
)
async def test_anything_else_is_refused(token: str, code: str) -> None:
    assert await refusal(token) == code


def test_a_short_secret_is_refused_with_its_name() -> None:
    with pytest.raises(RagliveError, match="SUPABASE_JWT_SECRET is too short"):
        Tokens(LOCAL, "short")


async def test_a_token_of_a_secret_is_verified_once_until_it_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = Tokens(LOCAL)
    token = tokens.issue(VIEWER, 60, "someone")
    first = await tokens.verify(token)
    decode, decoded = jwt.decode, list[str]()

    def counted(given: str, *args: Any, **options: Any) -> Any:
        decoded.append(given)
        return decode(given, *args, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    assert await tokens.verify(token) == first
    assert decoded == []
    monkeypatch.setattr(time, "time", lambda: first.expires_at)
    await tokens.verify(token)
    assert decoded == [token]
