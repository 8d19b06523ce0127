"""The operations of the API, in the order of its documentation."""

from __future__ import annotations

from lookalike.faces.server import parameters, schema, schema_copies
from lookalike.faces.server.api import SHOWN_BY_BROWSERS, Api
from lookalike.faces.server.operations import Operation

_SHOWN = tuple(SHOWN_BY_BROWSERS.values())
_JPEG = ("image/jpeg",)


def operations(api: Api) -> list[Operation]:
    """Return all operations."""
    return [*_searching(api), *_items(api), *_pictures(api), *_votes(api), *_copies(api), *_facts(api)]


def _searching(api: Api) -> list[Operation]:
    return [
        Operation(
            "search",
            "POST /api/search",
            "Find the photos most like the examples",
            api.search,
            schema.SearchAnswer,
            body=schema.SearchRequest,
            uploads=True,
            errors=(404, 422),
        )
    ]


def _items(api: Api) -> list[Operation]:
    return [
        Operation(
            "browseItems",
            "GET /api/items",
            "List items page by page",
            api.browse,
            schema.ItemsPage,
            query=parameters.BrowseQuery,
        ),
        Operation(
            "randomItems",
            "GET /api/items/random",
            "Pick items by chance",
            api.random,
            schema.ItemsAnswer,
            query=parameters.RandomQuery,
        ),
        Operation(
            "getItem",
            "GET /api/items/{id}",
            "Say what is known of an item",
            api.item,
            schema.Item,
            query=parameters.ItemQuery,
            errors=(404,),
        ),
    ]


def _pictures(api: Api) -> list[Operation]:
    return [
        Operation(
            "getPhoto",
            "GET /api/items/{id}/photo",
            "Send an item's file as it is, where a browser shows its format",
            api.photo,
            _SHOWN,
            query=parameters.ItemQuery,
            errors=(304, 404, 415),
        ),
        Operation(
            "getThumbnail",
            "GET /api/items/{id}/thumbnail",
            "Send an item's photo made small, upright, as JPEG",
            api.thumbnail,
            _JPEG,
            query=parameters.ThumbnailQuery,
            errors=(304, 404),
        ),
        Operation(
            "previewPhoto",
            "POST /api/preview",
            "Send a photo back as JPEG, for formats that a browser cannot show",
            api.preview,
            _JPEG,
            uploads=True,
            errors=(422,),
        ),
        Operation(
            "fetchPhoto",
            "POST /api/fetch",
            "Fetch a picture from a public address",
            api.fetch,
            _SHOWN,
            body=schema.FetchRequest,
            errors=(422,),
        ),
    ]


def _votes(api: Api) -> list[Operation]:
    return [
        Operation(
            "putVote",
            "PUT /api/votes",
            "Keep what someone thinks of a hit",
            api.vote,
            schema.VoteAnswer,
            body=schema.VoteRequest,
            errors=(404,),
        ),
        Operation(
            "putClick",
            "POST /api/rounds/{round}/clicks",
            "Keep that a hit was opened, for the space that found it",
            api.click,
            schema.ClickAnswer,
            query=parameters.RoundQuery,
            body=schema.ClickRequest,
            errors=(404,),
        ),
        Operation(
            "nextToRate",
            "GET /api/rate",
            "Say which hits of which query are to be judged next",
            api.rate,
            schema.RateAnswer,
            query=parameters.RateQuery,
            errors=(404,),
        ),
        Operation(
            "listVotes",
            "GET /api/votes",
            "List votes in the order given",
            api.votes,
            schema.VotesPage,
            query=parameters.VotesQuery,
        ),
    ]


def _copies(api: Api) -> list[Operation]:
    return [
        Operation(
            "listCopies",
            "GET /api/copies",
            "List groups of items that are copies of each other",
            api.copies,
            schema_copies.CopiesPage,
            query=parameters.CopiesQuery,
            errors=(404,),
        ),
        Operation(
            "decideCopies",
            "POST /api/copies/decisions",
            "Keep what someone decided about copies, for their contents",
            api.decide,
            schema_copies.DecisionAnswer,
            body=schema_copies.DecisionRequest,
            errors=(404, 422),
        ),
        Operation(
            "removeCopies",
            "POST /api/copies/remove",
            "Move the files of copies to the trash, where the server was started with --allow-removal",
            api.remove_copies,
            schema_copies.RemovalAnswer,
            body=schema_copies.RemovalRequest,
            errors=(404, 422),
        ),
    ]


def _facts(api: Api) -> list[Operation]:
    return [
        Operation(
            "getCollection",
            "GET /api/collection",
            "Say what the collection holds",
            api.facts,
            schema.CollectionFacts,
        ),
        Operation(
            "getFacets",
            "GET /api/facets",
            "Say what items can be filtered by",
            api.facets,
            schema.FacetsAnswer,
        ),
        Operation(
            "getHealth",
            "GET /api/health",
            "Say that the server answers, and whether the collection does",
            api.health,
            schema.Health,
            query=parameters.HealthQuery,
        ),
    ]
