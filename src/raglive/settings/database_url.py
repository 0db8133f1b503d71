"""The address of a database as hosting services state it, in the form that the driver accepts."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode

from raglive.settings.authority import require_usable_authority

__all__ = ["usable_database_url"]

_FORM = "It should look like postgresql://user:password@host:5432/name."
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_STRONG_SSL_MODES = frozenset({"require", "verify-ca", "verify-full"})

# Parameters of the driver and settings of the server: passed on as they are.
_PASSED = frozenset(
    [
        "host",
        "port",
        "dbname",
        "database",
        "user",
        "password",
        "passfile",
        "service",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "sslpassword",
        "sslnegotiation",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "target_session_attrs",
        "krbsrvname",
        "gsslib",
        "application_name",
        "options",
        "search_path",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "timezone",
        "client_encoding",
    ]
)
# Parameters of other clients' pools and sockets, dropped: raglive has its own and detects poolers.
_DROPPED = frozenset(
    [
        "connection_limit",
        "pool_timeout",
        "pool_size",
        "max_overflow",
        "connect_timeout",
        "socket_timeout",
        "max_idle_connection_lifetime",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "gssencmode",
        "fallback_application_name",
        "load_balance_hosts",
        "supa",
        "sslaccept",
        "pgbouncer",
        "statement_cache_size",
        "prepared_statement_cache_size",
    ]
)


def usable_database_url(text: str) -> str:
    """Return the address with parameters that the driver understands.

    Raises ValueError with a message that contains no part of the address but a parameter's name.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme not in {"postgres", "postgresql"}:
        raise ValueError(f"it does not begin with postgresql:// or postgres://. {_FORM}")
    require_usable_authority(rest, _FORM)
    place, _, query = rest.partition("?")
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError(f"its parameters are not name=value pairs. {_FORM}") from None
    parameters = _understood(dict(given))
    return f"{scheme}://{place}{'?' if parameters else ''}{urlencode(parameters, quote_via=quote)}"


def _understood(given: dict[str, str]) -> dict[str, str]:
    passed = {name: value for name, value in given.items() if name in _PASSED}
    for name, value in given.items():
        if name == "ssl":
            passed.setdefault("sslmode", "disable" if value in {"false", "0"} else "require")
        elif name == "schema":
            if value != "public":
                raise ValueError(
                    "its parameter schema cannot be used: raglive has schemas of its own; remove it"
                )
        elif name == "sslaccept" and value == "strict":
            raise ValueError(
                "its parameter sslaccept=strict cannot be used: "
                "write sslmode=verify-full, and sslrootcert=FILE for an authority of your own"
            )
        elif name != "channel_binding" and name not in _PASSED | _DROPPED:
            known = f" {name}" if re.fullmatch(r"[a-z_]{1,40}", name) else ""
            raise ValueError(f"its parameter{known} cannot be used by raglive: remove it")
    return _with_ssl_mode(passed, given.get("channel_binding"))


def _with_ssl_mode(passed: dict[str, str], channel_binding: str | None) -> dict[str, str]:
    """Require TLS where channel binding is required, which the driver does not support."""
    mode = passed.get("sslmode")
    if mode == "no-verify":  # Heroku's word
        mode = "require"
    if channel_binding == "require" and mode not in _STRONG_SSL_MODES:
        mode = "require"
    if mode is None:
        return passed
    if mode not in _SSL_MODES:
        raise ValueError(f"its sslmode is none of {', '.join(sorted(_SSL_MODES))}")
    return passed | {"sslmode": mode}
