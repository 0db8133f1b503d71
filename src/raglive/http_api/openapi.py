"""Additions to the OpenAPI documents: error responses, tokens, and bodies read by hand."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from raglive_contract.errors import ErrorResponse

__all__ = ["body", "describe", "refusals"]

_DESCRIPTIONS = {
    400: "The cursor is malformed, or the address is too long",
    401: "The token is missing, invalid, expired or revoked",
    403: "The token does not give the right",
    404: "It does not exist, or the token may not see it",
    409: "Another embedding model was set since the index was built",
    410: "The log cannot be resumed from the cursor",
    413: "The body is too large",
    421: "This host name is not allowed",
    422: "The request does not match the schema",
    429: "Too many requests: wait for `Retry-After`",
    502: "The embedding provider rejected the request or sent an invalid answer",
    503: "The database or another service does not answer: try again",
}
_COMPONENT = "#/components/schemas/{model}"


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Make the `responses` of an operation from its error statuses."""
    return {
        status: {"model": ErrorResponse, "description": _DESCRIPTIONS[status]}
        for status in sorted(statuses)
    }


def body(model: type[BaseModel]) -> dict[str, Any]:
    """Make the `openapi_extra` of an operation that parses its own body."""
    schema = {"$ref": _COMPONENT.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI, *bodies: type[BaseModel]) -> None:
    """Add the models of `bodies`, and security to operations that answer 401 and state none."""

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = FastAPI.openapi(app)
            components = document.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            components.setdefault("schemas", {}).update(_schemas(bodies))
            for path in document["paths"].values():
                for operation in path.values():
                    _complete(operation)
            _remove_fastapi_models(components["schemas"])
        return app.openapi_schema or {}

    app.openapi = complete  # type: ignore[method-assign]  # as FastAPI documents it


def _schemas(models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    _, found = models_json_schema([(one, "validation") for one in models], ref_template=_COMPONENT)
    return dict(found.get("$defs", {}))


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "401" in responses:
        operation.setdefault("security", [{"token": []}])
    in_query = any(one["in"] == "query" for one in operation.get("parameters", ()))
    if in_query or "requestBody" in operation:
        refused = _COMPONENT.format(model=ErrorResponse.__name__)
        content = {"application/json": {"schema": {"$ref": refused}}}
        responses["422"] = {"description": _DESCRIPTIONS[422], "content": content}
        if in_query:
            responses["400"] = {"description": _DESCRIPTIONS[400], "content": content}
    else:  # FastAPI adds 422 for path parameters, but any text is valid here
        responses.pop("422", None)


def _remove_fastapi_models(schemas: dict[str, Any]) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
