"""The web application: the API's operations, the page's files, and the guards before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from lookalike.collection import Collection
from lookalike.errors import UsageError
from lookalike.faces.server.access import Access
from lookalike.faces.server.api import Api
from lookalike.faces.server.catalogue import operations
from lookalike.faces.server.copies import Copies, Remove
from lookalike.faces.server.errors_json import Refusal
from lookalike.faces.server.fetch import Fetcher
from lookalike.faces.server.guard import Guard
from lookalike.faces.server.limits import Limiter, RequestLimits
from lookalike.faces.server.openapi import document
from lookalike.faces.server.operations import routes
from lookalike.faces.server.rounds import Pair, Rounds
from lookalike.faces.server.thumbnails import ThumbnailCache

WEB = files("lookalike") / "web"
_ALWAYS_ASK = {"cache-control": "no-cache"}  # with an ETag: a new version of lookalike is seen at once


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a server offers: pictures by address, two spaces compared, and how much may be asked.

    `remove` moves files of copies to the trash; without it, none is removed.
    """

    fetch: bool = True
    ab: Pair | None = None
    remove: Remove | None = None
    limits: RequestLimits = field(default_factory=RequestLimits)


def build_app(collection: Collection, access: Access, options: ServerOptions | None = None) -> ASGIApp:
    """Return the application that serves a collection to those whom `access` lets in.

    It owns the collection and closes it when it ends. Raises `UsageError` where files could be removed by
    whoever reaches the server, without a token.
    """
    options = options or ServerOptions()
    if options.remove is not None and access.token is None and not access.is_for_this_machine:
        raise UsageError("others are let in without a token: they could remove files")
    fetcher = Fetcher() if options.fetch else None
    rounds = Rounds(collection, options.ab) if options.ab is not None else None
    api = Api(
        collection,
        ThumbnailCache(collection.path if isinstance(collection.path, Path) else None),
        Copies(collection, options.remove),
        fetcher,
        rounds,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            api.close()

    described = msgspec.json.encode(document(operations(api)))

    async def openapi(_: Request) -> Response:
        return Response(described, media_type="application/json", headers=_ALWAYS_ASK)

    served: list[BaseRoute] = [*routes(operations(api)), Route("/api/openapi.json", openapi), *_page()]
    app = Starlette(routes=served, lifespan=lifespan, exception_handlers={HTTPException: _as_json})
    app.router.redirect_slashes = False  # it would lead to http where TLS ends at a proxy
    return Guard(Limiter(app, options.limits), access)


def _page() -> list[BaseRoute]:
    with as_file(WEB) as folder:

        async def index(_: Request) -> Response:
            return FileResponse(folder / "index.html", headers=_ALWAYS_ASK)

        async def rate(_: Request) -> Response:
            return FileResponse(folder / "rate.html", headers=_ALWAYS_ASK)

        async def copies(_: Request) -> Response:
            return FileResponse(folder / "copies.html", headers=_ALWAYS_ASK)

        pages = [Route("/", index), Route("/rate", rate), Route("/copies", copies)]
        return [*pages, Mount("/web", _Revalidated(directory=folder))]


class _Revalidated(StaticFiles):
    def file_response(self, *arguments: object, **more: object) -> Response:
        """Have the browser ask whether its copy is still the current one."""
        response = super().file_response(*arguments, **more)  # type: ignore[arg-type]
        response.headers.update(_ALWAYS_ASK)
        return response


async def _as_json(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # what it is registered for
    codes = {
        404: ("not_found", "there is nothing at this address"),
        405: ("method_not_allowed", "not by this method"),
    }
    code, message = codes.get(error.status_code, ("failed", str(error.detail)))
    refusal = Refusal(error.status_code, code, message)
    return Response(
        refusal.body(), error.status_code, dict(error.headers or {}), media_type="application/json"
    )
