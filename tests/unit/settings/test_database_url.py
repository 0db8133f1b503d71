"""Addresses of hosting services are understood, and no message shows a part of a password."""

from __future__ import annotations

from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raglive.settings import SettingsError, read_settings
from raglive.settings.database_url import usable_database_url
from raglive.store.errors import explain, place_of

from .passwords import PASSWORDS, pieces

NEON = "postgresql://me:pw@ep-cool-1.eu.aws.neon.tech/neondb"
SUPABASE = "postgres://postgres.abc:pw@aws-0.pooler.supabase.com:6543/postgres"
RDS = "postgres://me:pw@x.rds.amazonaws.com:5432/db"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (f"{NEON}?sslmode=require&channel_binding=require", f"{NEON}?sslmode=require"),
        (f"{NEON}?channel_binding=require", f"{NEON}?sslmode=require"),
        (f"{NEON}?channel_binding=prefer", NEON),
        (f"{NEON}?options=endpoint%3Dep-1", f"{NEON}?options=endpoint%3Dep-1"),
        (f"{SUPABASE}?pgbouncer=true&connection_limit=1", SUPABASE),
        (f"{SUPABASE}?supa=base-pooler.x&statement_cache_size=0", SUPABASE),
        (f"{NEON}?pgbouncer=false&pool_timeout=10&connect_timeout=15&schema=public", NEON),
        (f"{RDS}?sslmode=verify-full&sslrootcert=/ca.pem", None),
        (f"{RDS}?pgbouncer=true", RDS),
        (f"{RDS}?ssl=true", f"{RDS}?sslmode=require"),
        (f"{RDS}?sslmode=no-verify", f"{RDS}?sslmode=require"),
        (f"{RDS}?application_name=x&target_session_attrs=read-write", None),
        ("postgresql://me:p%40%2F@[::1]:5432/db", None),
        ("postgresql:///db?host=/var/run/postgresql", None),
        ("postgresql://h1:5432,h2:5433/db", None),
    ],
)
def test_parameters_are_understood(given: str, used: str | None) -> None:
    found = usable_database_url(given)
    assert found.replace("%2F", "/") == (used or given).replace("%2F", "/")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{RDS}?schema=app", "schema cannot be used"),
        (f"{RDS}?sslaccept=strict", "sslmode=verify-full"),
        (f"{RDS}?wishes=1", "parameter wishes cannot be used"),
        (f"{RDS}?sslmode=maybe", "sslmode is none of"),
        ("mysql://me:pw@host/db", "postgresql://"),
        ("postgres://me:pw@host:port/db", "port"),
        ("postgres://me:p/w@host/db", "percent-encoded"),
    ],
)
def test_others_are_named_in_one_sentence(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings({"DATABASE_URL": url})
    assert "DATABASE_URL" in refused.value.message


SHAPES = st.sampled_from(
    [
        "postgres://zz:{}@host/db",
        "postgresql://zz:{}@host:5432/db?sslmode=require",
        "postgres://:{}@[::1]:1/x",
        "postgresql://zz:{}@host",
    ]
)


@example("12/QZJ7", "postgres://zz:{}@host/db")
@given(PASSWORDS, SHAPES)
def test_no_part_of_a_password_is_shown(password: str, shape: str) -> None:
    url = shape.format(password)
    with pytest.raises(SettingsError, match="percent-encoded") as refused:
        read_settings({"DATABASE_URL": url})
    shown = [str(refused.value), repr(refused.value), str(refused.value.body()), place_of(url)]
    causes = (OSError(url), ValueError(url), asyncpg.InvalidPasswordError(url))
    shown += [explain(cause, url).message for cause in causes]
    encoded = read_settings({"DATABASE_URL": shape.format(quote(password, safe=""))})
    assert encoded.database_url is not None
    shown += [repr(encoded), place_of(encoded.database_url.get_secret_value())]
    for piece in pieces(password):
        assert not any(piece in text for text in shown), (piece, shown)
