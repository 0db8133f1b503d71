"""What the OpenAPI documents say beside what each operation gives: refusals, tokens, bodies."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from raglive_contract.errors import ErrorResponse

__all__ = ["body", "describe", "refusals"]

_WHY = {
    400: "The cursor is not one, or the address is too long",
    401: "No token, or one that does not hold",
    403: "The token does not allow it",
    404: "It does not exist, or the token may not see it",
    409: "Another embedding model was set since the index was built",
    410: "The log cannot be resumed from the cursor",
    413: "The body is too large",
    421: "The server does not answer to this host name",
    422: "The request is not of this shape",
    429: "Too many requests: wait as long as `Retry-After` says",
    502: "The embedding provider did not give what was asked",
    503: "The database or another part does not answer: try again",
}
_COMPONENT = "#/components/schemas/{model}"


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of operations that refuse with these."""
    return {
        status: {"model": ErrorResponse, "description": _WHY[status]} for status in sorted(statuses)
    }


def body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of an operation that reads its body itself."""
    schema = {"$ref": _COMPONENT.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI, *bodies: type[BaseModel], token_required: bool) -> None:
    """Complete the document: with tokens wherever 401 may be answered, and models of `bodies`."""

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = FastAPI.openapi(app)
            components = document.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            components.setdefault("schemas", {}).update(_schemas(bodies))
            for path in document["paths"].values():
                for operation in path.values():
                    _complete(operation, token_required=token_required)
            _forget_fastapis_own(components["schemas"])
        return app.openapi_schema or {}

    app.openapi = complete  # type: ignore[method-assign]  # as FastAPI documents it


def _schemas(models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    _, found = models_json_schema([(one, "validation") for one in models], ref_template=_COMPONENT)
    return dict(found.get("$defs", {}))


def _complete(operation: dict[str, Any], *, token_required: bool) -> None:
    responses = operation["responses"]
    if "401" in responses:
        operation["security"] = [{"token": []}] if token_required else [{}, {"token": []}]
    in_query = any(one["in"] == "query" for one in operation.get("parameters", ()))
    if in_query or "requestBody" in operation:
        refused = _COMPONENT.format(model=ErrorResponse.__name__)
        content = {"application/json": {"schema": {"$ref": refused}}}
        responses["422"] = {"description": _WHY[422], "content": content}
        if in_query:
            responses["400"] = {"description": _WHY[400], "content": content}
    else:  # FastAPI says so of paths too, which are text and always valid
        responses.pop("422", None)


def _forget_fastapis_own(schemas: dict[str, Any]) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
