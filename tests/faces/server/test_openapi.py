"""The API against its own OpenAPI document, and the document against the operations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from served import served
from starlette.testclient import TestClient

from fake_copies import CollectionWithCopies, Family, Found
from lookalike.embedders.fake import FakeWordsEmbedder
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import build_app

OPERATIONS = {
    "search": ("post", "/api/search"),
    "browseItems": ("get", "/api/items"),
    "randomItems": ("get", "/api/items/random"),
    "getItem": ("get", "/api/items/{id}"),
    "getPhoto": ("get", "/api/items/{id}/photo"),
    "getThumbnail": ("get", "/api/items/{id}/thumbnail"),
    "previewPhoto": ("post", "/api/preview"),
    "fetchPhoto": ("post", "/api/fetch"),
    "putVote": ("put", "/api/votes"),
    "putClick": ("post", "/api/rounds/{round}/clicks"),
    "nextToRate": ("get", "/api/rate"),
    "listVotes": ("get", "/api/votes"),
    "listCopies": ("get", "/api/copies"),
    "decideCopies": ("post", "/api/copies/decisions"),
    "removeCopies": ("post", "/api/copies/remove"),
    "getCollection": ("get", "/api/collection"),
    "getFacets": ("get", "/api/facets"),
    "getHealth": ("get", "/api/health"),
}


@pytest.fixture
def collection(tmp_path, make_photo):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    collection = CollectionWithCopies(tmp_path / "c.lookalike", embedder=FakeWordsEmbedder())
    collection.add(tmp_path / "photos")
    collection.found = Found([Family("0.png", {"1.png": (("cropped",), (0.5, 0.0, 0.0, 0.5, 0.0, 0.0))})])
    collection.found.go_on.set()
    return collection


def test_the_document_names_every_operation_and_its_types(collection):
    app = build_app(collection, Access.listening("127.0.0.1", 8000))
    with TestClient(app, "http://127.0.0.1:8000") as client:
        document = client.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    found = {
        operation["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert found == OPERATIONS
    schemas = document["components"]["schemas"]
    assert schemas["Hit"]["required"] == ["id", "uri", "content", "score", "metadata"]
    assert set(schemas["SearchRequest"]["properties"]) == {
        *("examples", "k", "offset", "where", "space", "hybrid", "rerank", "any_way_up", "round"),
    }
    search = document["paths"]["/api/search"]["post"]
    assert set(search["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    for methods in document["paths"].values():
        for operation in methods.values():
            error = operation["responses"]["400"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ErrorAnswer"}
    parameters = document["paths"]["/api/items/{id}/thumbnail"]["get"]["parameters"]
    assert [(each["name"], each["in"]) for each in parameters] == [
        ("id", "path"),
        ("size", "query"),
        ("v", "query"),
    ]


@pytest.mark.slow
def test_the_api_does_what_its_document_says(collection, tmp_path):
    """Schemathesis makes requests from the document, right and wrong ones, and holds the answers against it.

    One check is left out: that whatever the document allows is accepted. It cannot say that bytes must be a
    photo, or that a condition needs a field that exists.
    """
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "run", "--no-color", "--continue-on-failure"),
        *("--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", "12", "--seed", "1"),
    ]
    with served(collection) as address:
        done = subprocess.run(
            [*command, f"{address}/api/openapi.json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {len(OPERATIONS)}" in done.stdout
