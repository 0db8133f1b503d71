"""The address of Redis: one server, nodes of a cluster, or a service that Sentinel watches."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from raglive.settings.authority import require_usable_authority

__all__ = ["usable_redis_url"]

_FORM = (
    "It should look like redis://user:password@host:6379 or redis+sentinel://host:26379/service."
)
_TLS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})


def usable_redis_url(text: str) -> str:
    """Return the address.

    Raises ValueError with a message that contains no part of the address but a parameter's name.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator or not re.fullmatch(r"rediss?(\+sentinel)?", scheme):
        raise ValueError(
            f"it does not begin with redis://, rediss:// or redis+sentinel://. {_FORM}"
        )
    require_usable_authority(rest, _FORM)
    place, _, query = rest.partition("?")
    _, _, path = place.partition("/")
    parameters = _TLS
    if scheme.endswith("+sentinel"):
        parameters |= {"sentinel_password"}
        if not re.fullmatch(r"[^/]+(/[0-9]{1,4})?", path):
            raise ValueError(f"the name of the service is missing after the hosts. {_FORM}")
    elif not re.fullmatch(r"[0-9]{0,4}", path):
        raise ValueError(f"what follows the host is not the number of a database. {_FORM}")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in parameters:
            known = f" {name}" if re.fullmatch(r"[a-z_]{1,40}", name) else ""
            raise ValueError(f"its parameter{known} is none of {', '.join(sorted(parameters))}")
    return text.strip()
