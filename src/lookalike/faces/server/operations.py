"""An operation of the API as data: name, address, types and handler; requests in, answers or errors out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lookalike.errors import (
    BusyError,
    CollectionError,
    FetchError,
    LookalikeError,
    NotFoundError,
    QueryError,
    UnreachableError,
    UsageError,
)
from lookalike.faces.server.errors_json import Refusal
from lookalike.faces.server.parameters import NoQuery

_JSON = "application/json"
_STATUSES: tuple[tuple[type[LookalikeError], int, str], ...] = (
    (UsageError, 400, "bad_request"),
    (NotFoundError, 404, "not_found"),
    (QueryError, 422, "not_a_photo"),
    (FetchError, 400, "unreachable"),
    (CollectionError, 503, "collection_unusable"),
    (LookalikeError, 500, "failed"),
)
_SOON = ((b"retry-after", b"2"),)
_log = logging.getLogger(__name__)

Handler = Callable[[Any, Request], Awaitable[Response]]
"""Takes the checked parameters and the request."""


class RefusedError(Exception):
    """A request that cannot be met, with what is answered."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(status, code, message)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `name` is its OpenAPI operationId, `call` such as "GET /api/items/{id}".

    `answer` is the type of the JSON answer, or the media types of another. `query` is the type of the
    parameters in path and query string, `body` that of a JSON body; with `uploads`, the body may also be a
    form with photos. `errors` are the statuses of failures it can answer, beyond those that any can.
    """

    name: str
    call: str
    summary: str
    handler: Handler
    answer: type[msgspec.Struct] | tuple[str, ...]
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] | None = None
    uploads: bool = False
    errors: tuple[int, ...] = ()

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.split()[0]

    @property
    def path(self) -> str:
        """The path, its parameters in braces."""
        return self.call.split()[1]

    async def serve(self, request: Request) -> Response:
        """Answer a request, whatever comes of it."""
        try:
            return await self.handler(self._parameters(request), request)
        except RefusedError as error:
            return _refused(error.refusal)
        except (BusyError, UnreachableError) as error:
            code = "busy" if isinstance(error, BusyError) else "engine_away"
            return _refused(Refusal(503, code, str(error), _SOON))
        except LookalikeError as error:
            status, code = next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))
            return _refused(Refusal(status, code, str(error)))
        except OSError as error:
            return _refused(Refusal(500, "failed", f"cannot be read: {error.strerror or error}"))
        except Exception:
            _log.exception("%s failed", self.name)
            return _refused(Refusal(500, "failed", "something went wrong here; the server's log says what"))

    def _parameters(self, request: Request) -> Any:
        given: dict[str, Any] = dict(request.path_params)
        for name, value in request.query_params.multi_items():
            if name in _lists(self.query):
                given.setdefault(name, []).append(value)
            elif name in given:
                raise RefusedError(400, "bad_request", f"{name!r} is given twice")
            else:
                given[name] = value
        return checked(lambda: msgspec.convert(given, self.query, strict=False))


def routes(operations: Sequence[Operation]) -> list[Route]:
    """Return what serves the operations: one route for each path, so that it knows all methods of it."""
    paths: dict[str, dict[str, Operation]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method] = each
    return [_route(path, by_method) for path, by_method in paths.items()]


def _route(path: str, by_method: dict[str, Operation]) -> Route:
    async def serve(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method].serve(request)

    return Route(path, serve, methods=list(by_method))


def checked(read: Callable[[], Any]) -> Any:
    """Return what `read` makes of a client's words, or refuse them in one line."""
    try:
        return read()
    except msgspec.ValidationError as error:
        raise RefusedError(400, "bad_request", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "bad_request", f"the body is no JSON: {error}") from error


async def json_body(request: Request, kind: type[msgspec.Struct]) -> Any:
    """Return the body of a request as a `kind`."""
    if media_type(request) != _JSON:
        raise RefusedError(415, "unsupported_media_type", f"send the body as {_JSON}")
    content = await request.body()
    return checked(lambda: msgspec.json.decode(content, type=kind))


def media_type(request: Request) -> str:
    """Return the type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def as_json(value: Mapping[str, Any] | msgspec.Struct, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), media_type=_JSON, headers=headers)


def _lists(query: type[msgspec.Struct]) -> set[str]:
    return {"where", "space"} & set(query.__struct_fields__)


def _refused(refusal: Refusal) -> Response:
    headers = {name.decode("ascii"): value.decode("ascii") for name, value in refusal.headers}
    return Response(refusal.body(), refusal.status, headers, media_type=_JSON)
