"""All photos of one request share a time for decoding; what exceeds it is said, and costs nobody else."""

from __future__ import annotations

import json
import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.embedders.fake import FakeEmbedder
from lookalike.faces.server import app as app_module
from lookalike.faces.server import schema
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.faces.server.rounds import Pair
from lookalike.transfer.transfer import ImportRequest

SIDE = 7_000  # just below the 50 megapixels that an upload may have
PAIR = Pair("fake", "other")


class FakeFetcher:
    content = b""

    async def fetch(self, _):
        return self.content


@pytest.fixture(scope="module")
def slow():
    """Small files of a picture that takes some tenths of a second to decode, by format."""
    made = {}
    for name, options in (("AVIF", {"speed": 10}), ("PNG", {}), ("TIFF", {"compression": "tiff_deflate"})):
        out = BytesIO()
        Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(out, name, **options)
        made[name] = out.getvalue()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo, slow):
    """Three small photos and a slow one, in two spaces."""
    folder = tmp_path_factory.mktemp("decode")
    names = [str(make_photo(folder / "photos" / f"{seed}.png", seed)) for seed in range(3)]
    (folder / "photos" / "slow.png").write_bytes(slow["PNG"])
    (folder / "list.txt").write_text("\n".join([*names, str(folder / "photos" / "slow.png")]) + "\n")
    np.save(folder / "rows.npy", np.eye(4, 6, dtype=np.float32))
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        assert collection.add(folder / "photos").added == 4
        collection.import_vectors(ImportRequest(folder / "rows.npy", folder / "list.txt", name="other"))
    return folder


@pytest.fixture(params=["one", "ab"])
def client(request, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(schema, "MAX_DECODE_SECONDS", 3.0)
    monkeypatch.setattr(app_module, "Fetcher", FakeFetcher)
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    collection = Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder(), decoder=DecodePool(2))
    options = ServerOptions(ab=PAIR if request.param == "ab" else None)
    with TestClient(
        build_app(collection, Access.listening("127.0.0.1", 8000), options), "http://127.0.0.1:8000"
    ) as client:
        client.collection = collection
        yield client


def upload(client, photos):
    query = {"examples": [{"upload": at} for at in range(len(photos))]}
    files = [("photo", ("a", photo)) for photo in photos]
    return client.post("/api/search", data={"query": json.dumps(query)}, files=files)


def boxed(client, count):
    (item,) = client.collection.items(where=["uri=*slow.png"])
    example = {"item": item.id, "box": [0, 0, 0.9, 0.9]}
    return client.post("/api/search", json={"examples": [example] * count})


def check_too_much(answer):
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "too_much_to_decode" and "longer than" in error["message"]


@pytest.mark.parametrize("name", ["AVIF", "PNG", "TIFF"])
def test_many_slow_photos_are_too_much(client, slow, folder, name):
    check_too_much(upload(client, [slow[name]] * 32))
    small = (folder / "photos" / "1.png").read_bytes()
    assert upload(client, [small] * 32).status_code == 200  # each request has a time of its own


def test_many_slow_parts_of_items_are_too_much(client):
    check_too_much(boxed(client, 32))


def test_one_slow_photo_among_small_ones_is_too_much(client, slow, folder, monkeypatch):
    monkeypatch.setattr(schema, "MAX_DECODE_SECONDS", 0.15)
    small = (folder / "photos" / "1.png").read_bytes()
    check_too_much(upload(client, [small, small, slow["AVIF"], small]))
    check_too_much(boxed(client, 1))


@pytest.mark.parametrize("name", ["AVIF", "PNG", "TIFF"])
def test_a_preview_is_too_much(client, slow, name, monkeypatch):
    monkeypatch.setattr(schema, "MAX_DECODE_SECONDS", 0.05)
    check_too_much(client.post("/api/preview", files={"photo": ("a", slow[name])}))


def test_a_fetched_picture_that_is_made_small_is_too_much(client, slow, monkeypatch):
    monkeypatch.setattr(schema, "MAX_DECODE_SECONDS", 0.05)
    monkeypatch.setattr(FakeFetcher, "content", slow["TIFF"])
    check_too_much(client.post("/api/fetch", json={"address": "https://a.example/"}))


def test_what_is_no_photo_is_still_said_to_be_none(client, slow, monkeypatch):
    monkeypatch.undo()
    cut = slow["PNG"][: len(slow["PNG"]) // 2]
    for answer in (upload(client, [cut]), client.post("/api/preview", files={"photo": ("a", b"no photo")})):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_a_photo")


def test_a_usual_search_has_time_enough(client, slow, monkeypatch):
    monkeypatch.undo()
    assert schema.MAX_DECODE_SECONDS >= 10
    assert upload(client, [slow["AVIF"]] * 2).status_code == 200
