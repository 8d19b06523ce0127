"""The OpenAPI 3.1 document, made from the operations and their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lookalike import __version__
from lookalike.faces.server import schema
from lookalike.faces.server.operations import Operation

_REFERENCE = "#/components/schemas/{name}"
_BINARY = {"type": "string", "format": "binary"}
_ERRORS = {
    304: "It has not changed (If-None-Match)",
    400: "The request makes no sense",
    401: "The token is needed",
    403: "This is not allowed here",
    404: "There is no such thing",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The type is not served or not taken",
    421: "The server does not go by this name",
    422: "This is no photo that can be read, decoding all takes too long, or the items do not go together",
    500: "Something went wrong here",
    503: "Too much is asked at once (then with Retry-After), or the collection cannot be used now",
}
_RETRY_AFTER = {"description": "Seconds to come again after, where that helps", "schema": {"type": "integer"}}
_ANY = (400, 401, 403, 421, 500, 503)
_WITH_BODY = (408, 413, 415)
_ABOUT = (
    "Bring a photo; get the most similar ones of a collection. Every failure has one shape: "
    '`{"error": {"code": …, "message": …}}`.'
)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document of all operations."""
    types = [schema.ErrorAnswer, *(each.body for each in operations if each.body)]
    types += [each.answer for each in operations if isinstance(each.answer, type)]
    queries = [each.query for each in operations]
    _, components = msgspec.json.schema_components([*types, *queries], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, components)
    for query in queries:
        components.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lookalike", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(operation: Operation, components: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    parameters = _parameters(operation, components[operation.query.__name__])
    if parameters:
        shown["parameters"] = parameters
    if operation.body is not None or operation.uploads:
        shown["requestBody"] = {"required": True, "content": _body(operation)}
    shown["responses"] = {"200": {"description": "Done", "content": _answer(operation)}}
    statuses = {*_ANY, *operation.errors, *(_WITH_BODY if "requestBody" in shown else ())}
    for status in sorted(statuses):
        shown["responses"][str(status)] = {"description": _ERRORS[status]}
        if status != 304:
            error = {"application/json": {"schema": _reference(schema.ErrorAnswer)}}
            shown["responses"][str(status)]["content"] = error
    shown["responses"]["503"]["headers"] = {"Retry-After": _RETRY_AFTER}
    return shown


def _parameters(operation: Operation, described: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    for name, value in described.get("properties", {}).items():
        in_path = f"{{{name}" in operation.path
        parameter = {"name": name, "in": "path" if in_path else "query", "schema": value}
        parameters.append({**parameter, "required": True} if in_path else parameter)
    return parameters


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.body is not None:
        content["application/json"] = {"schema": _reference(operation.body)}
    if operation.uploads:
        fields: dict[str, Any] = {"photo": _BINARY}
        form: dict[str, Any] = {"type": "object", "required": ["photo"], "properties": fields}
        if operation.body is not None:
            fields["photo"] = {
                "type": "array",
                "items": _BINARY,
                "minItems": 1,
                "maxItems": schema.MAX_EXAMPLES,
            }
            fields["query"] = {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": _reference(operation.body),
                "description": "What is asked for, as JSON; without it, the photo is the only example.",
            }
        content["multipart/form-data"] = {"schema": {**form, "additionalProperties": False}}
    return content


def _answer(operation: Operation) -> dict[str, Any]:
    if isinstance(operation.answer, tuple):
        return {media_type: {"schema": _BINARY} for media_type in operation.answer}
    return {"application/json": {"schema": _reference(operation.answer)}}


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
