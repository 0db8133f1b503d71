"""Requests over Socket.IO: read strictly, and always answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.errors import DATABASE_ERRORS

__all__ = ["answered", "read_request", "read_token"]

log = structlog.get_logger()

Shape = TypeVar("Shape", bound=BaseModel)


class _Owner(Protocol):
    def refused(self, sid: str, request: str, error: RagliveError) -> None: ...


Owner = TypeVar("Owner", bound=_Owner)
Handler = Callable[[Owner, str, object], Awaitable[dict[str, Any]]]


def answered(handler: Handler[Owner]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Answer every request: `{ok: true, ...}`, or `{ok: false, error}`."""

    @wraps(handler)
    async def answer(self: Owner, sid: str, *sent: object) -> dict[str, Any]:
        try:
            return {"ok": True} | await handler(self, sid, sent[0] if sent else None)
        except RagliveError as error:
            self.refused(sid, handler.__name__.removeprefix("on_"), error)
            return {"ok": False, "error": error.body()}
        except DATABASE_ERRORS as error:
            log.warning("request_failed", request=handler.__name__, error=type(error).__name__)
            return {"ok": False, "error": _unavailable().body()}
        except Exception:
            log.exception("request_crashed", request=handler.__name__, connection=sid)
            return {"ok": False, "error": RagliveError("The request failed.").body()}

    return answer


def read_request(shape: type[Shape], data: object) -> Shape:
    """Return what was asked; raise `invalid_request` that names the first fault."""
    try:
        return shape.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200] or "the request"
        raise RagliveError(f"{place}: {first['msg']}", code=ErrorCode.INVALID_REQUEST) from None


def read_token(auth: object) -> str:
    """Return the token of a handshake; raise `unauthenticated` without one."""
    token = auth.get("token") if isinstance(auth, dict) else None
    if not isinstance(token, str):
        raise RagliveError(
            "A token is required: connect with `auth: {token}`.", code=ErrorCode.UNAUTHENTICATED
        )
    return token


def _unavailable() -> RagliveError:
    return RagliveError(
        "The database does not answer. Try again.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=1000,
    )
