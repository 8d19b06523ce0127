"""What each operation answers, through the whole application, with a fake embedder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image, ImageOps
from starlette.testclient import TestClient

from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.embedders.fake import FakeEmbedder, FakeWordsEmbedder
from lookalike.errors import FetchError
from lookalike.faces.server import app as app_module
from lookalike.faces.server.access import Access
from lookalike.faces.server.app import ServerOptions, build_app
from lookalike.records import Box, SearchOptions, Words
from lookalike.search.queries import Example

BASE = "http://127.0.0.1:8000"
COUNT = 14


class FakeFetcher:
    """Answers from a dict; everything else is out of reach."""

    pages: ClassVar[dict[str, bytes]] = {}

    async def fetch(self, address):
        if address not in self.pages:
            raise FetchError("nothing could be fetched")
        return self.pages[address]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo):
    """A folder of photos: 00.png to 11.png, and two plain colours."""
    folder = tmp_path_factory.mktemp("served")
    for seed in range(12):
        make_photo(folder / "photos" / f"{seed:02}.png", seed, size=(600, 400))
    Image.new("RGB", (90, 60), (250, 5, 5)).save(folder / "photos" / "red.png")
    Image.new("RGB", (90, 60), (5, 5, 250)).save(folder / "photos" / "blue.bmp")
    with Collection(folder / "c.lookalike", embedder=FakeWordsEmbedder()) as collection:
        assert collection.add(folder / "photos").added == COUNT
    return folder


@pytest.fixture
def served(tmp_path, folder, monkeypatch):
    """A client of a copy of the collection, whose files stay where they were."""
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    monkeypatch.setattr(app_module, "Fetcher", FakeFetcher)
    collection = Collection(tmp_path / "c.lookalike", embedder=FakeWordsEmbedder(), decoder=DecodePool(1))
    with client(collection) as made:
        yield made


def client(collection, **options):
    app = build_app(collection, Access.listening("127.0.0.1", 8000), ServerOptions(**options))
    made = TestClient(app, BASE)
    made.collection = collection
    return made


@pytest.fixture
def ids(served):
    return {Path(item.uri).name: item.id for item in served.collection.items()}


def ask(served, *examples, **options):
    return served.post("/api/search", json={"examples": list(examples), **options})


def names(answer):
    assert answer.status_code == 200, answer.text
    return [Path(hit["uri"]).name for hit in answer.json()["hits"]]


def check_error(answer, status, code, said):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert list(answer.json()) == ["error"] and list(error) == ["code", "message"]
    assert error["code"] == code and said in error["message"] and "\n" not in error["message"]


def picture(answer):
    assert answer.headers["content-type"] == "image/jpeg"
    return Image.open(BytesIO(answer.content))


def test_an_item_is_searched_by_as_on_the_command_line(served):
    told = ask(served, {"item": 3}, k=5).json()
    result = served.collection.search(3, 5)
    assert [(hit["id"], hit["uri"], hit["score"]) for hit in told["hits"]] == [
        (hit.id, hit.uri, hit.score) for hit in result
    ]
    assert told["query"] == result.key == "item:3"
    assert (told["space"], told["recall"], told["more"], told["background"]) == ("fake", 1.0, True, None)


def test_hits_are_reranked_where_that_is_asked_for(served, monkeypatch):
    monkeypatch.setattr("lookalike.search.reranking._FEWEST", 6)
    plain, reranked = (ask(served, {"item": 3}, k=13, rerank=rerank).json() for rerank in (False, True))
    expected = served.collection.answer([3], SearchOptions(13, rerank=True))[0]
    assert [hit["id"] for hit in reranked["hits"]] == [hit.id for hit in expected]
    assert plain["hits"][0] == reranked["hits"][0] and plain["hits"] != reranked["hits"]
    assert sorted(hit["score"] for hit in plain["hits"]) == sorted(hit["score"] for hit in reranked["hits"])
    check_error(ask(served, {"item": 3}, rerank=True, hybrid=True), 400, "bad_request", "leave out either")


def test_a_photo_alone_finds_itself(served, folder, ids):
    content = (folder / "photos" / "04.png").read_bytes()
    answer = served.post("/api/search", files={"photo": ("<b>.png", content)})
    assert names(answer)[0] == "04.png" and answer.json()["hits"][0]["score"] == 1
    digest = hashlib.sha256(content).hexdigest()
    assert answer.json()["query"] == f"photo:{digest[:32]}"
    assert answer.json()["hits"][0] == {
        "id": ids["04.png"],
        "uri": str(folder / "photos" / "04.png"),
        "content": digest[:16],
        "score": 1.0,
        "metadata": {"width": 600, "height": 400, "format": "PNG"},
    }


def test_photos_items_and_words_make_one_query(served, folder, ids):
    photos = [(folder / "photos" / name).read_bytes() for name in ("04.png", "05.png")]
    query = {
        "examples": [
            {"upload": 1, "weight": 0.5, "box": [0.25, 0, 0.5, 1]},
            {"upload": 0},
            {"item": ids["07.png"], "weight": -1},
            {"words": "blue", "weight": 0.25},
        ],
        "k": 13,
    }
    answer = served.post(
        "/api/search", data={"query": json.dumps(query)}, files=[("photo", ("a", each)) for each in photos]
    )
    direct = served.collection.search(
        [
            Example(photos[1], 0.5, Box(0.25, 0, 0.5, 1)),
            Example(photos[0]),
            Example(ids["07.png"], -1),
            Example(Words("blue"), 0.25),
        ],
        13,
    )
    assert [(hit["id"], hit["score"]) for hit in answer.json()["hits"]] == [
        (hit.id, hit.score) for hit in direct
    ]
    assert answer.json()["query"] == direct.key


def test_words_find_what_they_name(served):
    assert names(ask(served, {"words": "red"}))[0] == "red.png"
    assert served.get("/api/collection").json()["spaces"][0]["takes_words"] is True


def test_near_copies_are_named(served, folder, tmp_path):
    with Image.open(folder / "photos" / "05.png") as original:
        original.save(tmp_path / "05.jpg")
    served.collection.add(tmp_path / "05.jpg")
    hits = ask(served, {"item": 1}, k=20).json()["hits"]
    family = [hit for hit in hits if Path(hit["uri"]).name.startswith("05")]
    assert [hit.get("copy_of") for hit in family] == [None, family[0]["id"]]
    assert [hit.get("copy_how") for hit in family] == [None, []]


def test_a_photo_is_found_any_way_up(served, folder):
    turned = BytesIO()
    with Image.open(folder / "photos" / "05.png") as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(turned, "PNG")
    files = [("photo", ("a.png", turned.getvalue()))]
    query = {"examples": [{"upload": 0}], "any_way_up": True}
    hits = served.post("/api/search", data={"query": json.dumps(query)}, files=files).json()["hits"]
    assert hits[0]["uri"].endswith("/05.png") and hits[0]["score"] > 0.99
    assert hits == served.post("/api/search", data={"query": json.dumps(query)}, files=files).json()["hits"]
    refused = served.post("/api/search", json={"examples": [{"words": "red"}], "any_way_up": True})
    assert refused.status_code == 400 and "one photo or one item" in refused.json()["error"]["message"]


def test_a_copy_says_how_it_is_one(served, tmp_path):
    for at, name in enumerate(("a.png", "b.png")):
        pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((400, 300), Image.Resampling.BICUBIC)
        (ImageOps.mirror(picture).resize((200, 150)) if at else picture).save(tmp_path / name)
    served.collection.add(tmp_path / "a.png", tmp_path / "b.png")
    hits = ask(served, {"item": 1}, k=20).json()["hits"]
    first, copy = (hit for hit in hits if Path(hit["uri"]).name in ("a.png", "b.png"))
    assert (copy["copy_of"], "copy_how" in first) == (first["id"], False)
    assert copy["copy_how"] == ["mirrored", "smaller" if copy["uri"].endswith("b.png") else "larger"]


def test_pages_conditions_and_space_are_passed_on(served):
    first, second = (ask(served, {"item": 1}, k=3, offset=at, where=["id<=6"]) for at in (0, 3))
    assert sorted(hit["id"] for page in (first, second) for hit in page.json()["hits"]) == [2, 3, 4, 5, 6]
    assert (first.json()["more"], second.json()["more"]) == (True, False)
    assert ask(served, {"item": 1}, space="fake").status_code == 200
    check_error(ask(served, {"item": 1}, space="clip"), 404, "not_found", "no space named 'clip'")


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([], "length >= 1"),
        ([{}], "exactly one of item, upload and words"),
        ([{"item": 1, "words": "red"}], "exactly one of item, upload and words"),
        ([{"item": 1, "weight": -1}], "a weight above 0"),
        ([{"item": 1, "weight": 0}, {"item": 2}], "other than 0"),
        ([{"item": 1, "weight": 1.5}], "<= 1"),
        ([{"item": 1, "box": [0, 0, 1]}], "length >= 4"),
        ([{"item": 1, "box": [0.5, 0, 0.6, 1]}], "a box is left, top, width and height"),
        ([{"words": "red", "box": [0, 0, 1, 1]}], "words and vectors have none"),
        ([{"upload": 0}], "upload 0 did not come along"),
        ([{"item": "1"}], "Expected `int`"),
        ([{"item": 2**63}], "<= 9223372036854775807"),
        ([{"path": "/etc/passwd"}], "unknown field `path`"),
        ([{"item": 1}] * 33, "length <= 32"),
    ],
)
def test_examples_that_make_no_sense_are_refused(served, examples, said):
    check_error(ask(served, *examples), 400, "bad_request", said)


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"),
    [
        (b"{", "application/json", 400, "no JSON"),
        (b"\xff", "application/json", 400, "no JSON"),
        (b"[" * 100_000, "application/json", 413, "bytes at most"),
        (b"[" * 60_000, "application/json", 400, ""),
        (b"{}", "text/plain", 415, "application/json"),
        (b"", "", 415, "application/json"),
        (b"x", "multipart/form-data", 400, "the form cannot be read"),
        (b"x", "multipart/form-data; boundary=b", 400, "form"),
        (b"examples=1", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
def test_bodies_that_make_no_sense_are_refused(served, body, kind, status, said):
    path = "/api/votes" if status == 413 else "/api/search"
    method = served.put if status == 413 else served.post
    answer = method(path, content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "parts",
    [
        [("photo", (None, b"text instead of a file"))],
        [("photo", ("a", b"")), ("other", ("b", b""))],
        [("query", (None, b"{}")), ("query", (None, b"{}"))],
        [("query", ("a.json", b"{}"))],
        [("photo", (str(n), b"")) for n in range(33)],
    ],
)
def test_forms_that_make_no_sense_are_refused(served, parts):
    answer = served.post("/api/search", files=parts)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    "content", [b"", b"no photo", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff"]
)
def test_what_is_no_photo_is_refused(served, content):
    for path in ("/api/search", "/api/preview"):
        answer = served.post(path, files={"photo": ("a.jpg", content)})
        check_error(answer, 422, "not_a_photo", "")


def test_a_photo_of_too_many_pixels_is_refused(served):
    out = BytesIO()
    Image.new("1", (10_001, 5_000)).save(out, "PNG")
    answer = served.post("/api/search", files={"photo": ("a", out.getvalue())})
    check_error(answer, 422, "not_a_photo", "10,001 × 5,000 pixels: over the limit of 50 megapixels")
    check_error(served.post("/api/preview", files={"photo": ("a", out.getvalue())}), 422, "not_a_photo", "")


def test_an_upload_over_the_limit_is_refused_before_it_is_read(served):
    answer = served.post(
        "/api/search",
        content=b"x",
        headers={"content-length": "20100000", "content-type": "multipart/form-data"},
    )
    check_error(answer, 413, "too_large", "bytes at most")


def test_an_upload_is_never_on_disk(served, folder, monkeypatch, tmp_path):
    import tempfile

    def refuse(*_, **__):
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    big = BytesIO()
    Image.effect_noise((2000, 1500), 100).save(big, "PNG")
    assert big.tell() > 2_000_000
    assert served.post("/api/search", files={"photo": ("a", big.getvalue())}).status_code == 200


def test_items_are_browsed_page_by_page(served):
    seen, cursor = [], None
    while True:
        page = served.get("/api/items", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == list(range(1, COUNT + 1))
    few = served.get("/api/items", params=[("where", "id>2"), ("where", "width<100")]).json()["items"]
    assert sorted(Path(item["uri"]).name for item in few) == ["blue.bmp", "red.png"]


def test_random_items_and_one_item(served):
    (drawn,) = served.get("/api/items/random").json()["items"]
    assert served.get(f"/api/items/{drawn['id']}").json() == drawn
    assert len(served.get("/api/items/random?n=200").json()["items"]) == COUNT
    check_error(served.get("/api/items/99"), 404, "not_found", "item 99")


@pytest.mark.parametrize(
    "path",
    [
        "/api/items/0",
        "/api/items/-1",
        "/api/items/x",
        "/api/items/9223372036854775808",
        "/api/items?limit=0",
        "/api/items?limit=201",
        "/api/items?cursor=x",
        "/api/items?limit=5&limit=6",
        "/api/items?what=1",
        "/api/items?where=colour%3Dred",
        "/api/items?where=width%3E%3Dwide",
        "/api/items/random?n=0",
        "/api/items/1/thumbnail?size=321",
        "/api/items/1/thumbnail?v=../..",
        "/api/votes?limit=x",
    ],
)
def test_parameters_that_make_no_sense_are_refused(served, path):
    check_error(served.get(path), 400, "bad_request", "")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/nothing", 404, "not_found"),
        ("/api/items/../../etc/passwd", 404, "not_found"),
        ("/web/../../errors.py", 404, "not_found"),
        ("/web/%2e%2e/errors.py", 404, "not_found"),
        ("/web/..%2f..%2ferrors.py", 404, "not_found"),
        ("/api/items/1/photo/x", 404, "not_found"),
    ],
)
def test_other_addresses_hold_nothing(served, path, status, code):
    check_error(served.get(path), status, code, "")


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "TRACE", "PROPFIND", "PATCH"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/items/1", {"GET", "HEAD"}), ("/api/search", {"POST"}), ("/api/votes", {"GET", "HEAD", "PUT"})],
)
def test_another_method_is_refused_and_the_right_one_named(served, method, path, allowed):
    answer = served.request(method, path, headers={"access-control-request-method": "PUT"})
    check_error(answer, 405, "method_not_allowed", "")
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_original_is_sent_as_it_is_and_not_twice(served, folder, ids):
    answer = served.get(f"/api/items/{ids['03.png']}/photo")
    assert answer.content == (folder / "photos" / "03.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    again = served.get(f"/api/items/{ids['03.png']}/photo", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert served.get(f"/api/items/{ids['blue.bmp']}/photo").headers["content-type"] == "image/bmp"


def test_formats_that_browsers_do_not_show_are_not_sent(served, tmp_path, folder):
    with Image.open(folder / "photos" / "03.png") as original:
        original.save(tmp_path / "a.tif")
    served.collection.add(tmp_path / "a.tif")
    check_error(served.get(f"/api/items/{COUNT + 1}/photo"), 415, "not_shown", "take a thumbnail")
    assert picture(served.get(f"/api/items/{COUNT + 1}/thumbnail")).size == (320, 213)


@pytest.fixture
def swapped(served, tmp_path, make_photo):
    """An item whose file a test may swap for something else."""
    path = make_photo(tmp_path / "own.png", 99, size=(64, 48))
    served.collection.add(path)
    secret = tmp_path / "secret.png"
    make_photo(secret, 100, size=(64, 48))
    return path, secret, COUNT + 1


@pytest.mark.parametrize("how", ["link", "content", "pipe", "gone", "folder", "same size and time"])
def test_only_what_was_recorded_is_sent(served, swapped, how):
    path, secret, item_id = swapped
    facts = path.stat()
    path.unlink()
    if how == "link":
        path.symlink_to(secret)
    elif how == "content":
        shutil.copy(secret, path)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "folder":
        path.mkdir()
    elif how == "same size and time":
        path.write_bytes(secret.read_bytes()[: facts.st_size].ljust(facts.st_size, b"\0"))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    for kind in ("photo", "thumbnail"):
        check_error(served.get(f"/api/items/{item_id}/{kind}"), 404, "not_found", "")
    part = ask(served, {"item": item_id, "box": [0, 0, 0.5, 0.5]})
    check_error(part, 422, "not_a_photo", "")
    assert ask(served, {"item": item_id}).status_code == 200  # by what is stored of it


def test_thumbnails_have_the_sizes_of_the_page_and_are_kept(served, ids, folder):
    item_id = ids["03.png"]
    for size, expected in ((320, (320, 213)), (640, (600, 400)), (1600, (600, 400))):
        assert picture(served.get(f"/api/items/{item_id}/thumbnail?size={size}")).size == expected
    content = served.get(f"/api/items/{item_id}").json()["content"]
    sure = served.get(f"/api/items/{item_id}/thumbnail?size=320&v={content}")
    assert "immutable" in sure.headers["cache-control"]
    unsure = served.get(f"/api/items/{item_id}/thumbnail?size=320&v={'0' * 16}")
    assert "no-cache" in unsure.headers["cache-control"]
    again = served.get(f"/api/items/{item_id}/thumbnail", headers={"if-none-match": sure.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    made = []
    served.collection.thumbnail = lambda *_, **__: made.append(1)
    assert served.get(f"/api/items/{item_id}/thumbnail?size=320").content == sure.content
    assert made == []


def test_whatever_byte_of_the_cache_is_damaged_the_right_thumbnail_is_sent(tmp_path, folder):
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    cache = tmp_path / "c.lookalike" / "thumbnails.sqlite"
    targets = [f"/api/items/{item}/thumbnail" for item in range(1, COUNT + 1)]

    def answers():
        collection = Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder(), decoder=pool)
        with client(collection) as made:
            return [(answer.status_code, answer.content) for answer in map(made.get, targets)]

    with DecodePool(1) as pool:
        wanted = answers()
        assert {status for status, _ in wanted} == {200}
        sound = cache.read_bytes()
        for first in range(4):
            damaged = bytearray(sound)
            # The first page, which describes the file, is damaged every other time.
            for at in range(4096 * (first % 2) + first, len(sound), 1021):
                damaged[at] ^= 1 << (first % 8)
            cache.write_bytes(damaged)
            assert answers() == wanted


def test_thumbnails_are_upright(served, tmp_path):
    lying = Image.new("RGB", (200, 100))
    lying.paste((255, 0, 0), (0, 0, 100, 100))
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(tmp_path / "lying.jpg", exif=exif, quality=95)
    served.collection.add(tmp_path / "lying.jpg")
    shown = picture(served.get(f"/api/items/{COUNT + 1}/thumbnail"))
    assert shown.size == (100, 200)
    assert shown.getpixel((50, 20))[0] > 200 and shown.getpixel((50, 180))[0] < 50
    assert not shown.getexif()


def test_a_photo_that_changes_meanwhile_is_not_kept_under_the_name_of_the_old_one(
    served, tmp_path, make_photo, monkeypatch
):
    photo = make_photo(tmp_path / "more" / "a.png", 77)
    served.collection.add(photo)
    (old,) = served.collection.items(where=["uri=*more/a.png"])
    made = served.collection.thumbnail
    address = f"/api/items/{old.id}/thumbnail?v={old.content_hash.hex()[:16]}"

    def change_first(*asked):
        make_photo(photo, 78)
        served.collection.add(photo)
        return made(*asked)

    monkeypatch.setattr(served.collection, "thumbnail", change_first)
    check_error(served.get(address), 404, "not_found", "has changed")
    monkeypatch.undo()
    (new,) = served.collection.items(where=["uri=*more/a.png"])
    assert new.content_hash != old.content_hash
    answer = served.get(f"/api/items/{new.id}/thumbnail")
    with Image.open(photo) as now:
        assert picture(answer).resize((1, 1)).getpixel((0, 0)) == pytest.approx(
            now.convert("RGB").resize((1, 1)).getpixel((0, 0)), abs=4
        )


def test_a_preview_is_a_jpeg(served, folder):
    out = BytesIO()
    with Image.open(folder / "photos" / "03.png") as original:
        original.save(out, "TIFF")
    answer = served.post("/api/preview", files={"photo": ("a.tif", out.getvalue())})
    assert picture(answer).size == (600, 400)
    check_error(served.post("/api/preview", files={}), 415, "unsupported_media_type", "photo")


def test_pictures_are_fetched_by_address(served, folder, monkeypatch):
    png = (folder / "photos" / "03.png").read_bytes()
    tiff = BytesIO()
    with Image.open(BytesIO(png)) as original:
        original.save(tiff, "TIFF")
    pages = {"https://x.org/a.png": png, "https://x.org/a.tif": tiff.getvalue(), "https://x.org/": b"<html>"}
    monkeypatch.setattr(FakeFetcher, "pages", pages)
    answer = served.post("/api/fetch", json={"address": "https://x.org/a.png"})
    assert (answer.content, answer.headers["content-type"]) == (png, "image/png")
    assert picture(served.post("/api/fetch", json={"address": "https://x.org/a.tif"})).size == (600, 400)
    check_error(served.post("/api/fetch", json={"address": "https://x.org/"}), 422, "not_a_photo", "")
    check_error(
        served.post("/api/fetch", json={"address": "https://y.org/"}), 400, "unreachable", "nothing could"
    )
    check_error(served.post("/api/fetch", json={"address": ""}), 400, "bad_request", "")


def test_fetching_can_be_off(tmp_path, folder):
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    with client(Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()), fetch=False) as served:
        assert served.get("/api/collection").json()["can_fetch"] is False
        check_error(served.post("/api/fetch", json={"address": "https://x.org/"}), 403, "fetch_is_off", "")


def test_votes_are_kept_and_listed(served):
    key = ask(served, {"item": 1}).json()["query"]
    for item, vote in ((2, 1), (3, -1), (4, 1), (4, 0)):
        answer = served.put("/api/votes", json={"query": key, "item": item, "vote": vote})
        assert answer.json() == {"query": key, "item": item, "vote": vote, "credited": False}
    served.put("/api/votes", json={"query": "item:9", "item": 2, "vote": 1, "space": "fake"})
    first = served.get("/api/votes?limit=2").json()
    assert [(each["item"], each["vote"]) for each in first["votes"]] == [(2, 1), (3, -1)]
    rest = served.get("/api/votes", params={"cursor": first["next"]}).json()
    assert [(each["query"], each["item"]) for each in rest["votes"]] == [("item:9", 2)] and rest[
        "next"
    ] is None
    only = served.get("/api/votes", params={"query": key}).json()["votes"]
    assert [each["item"] for each in only] == [2, 3]
    assert [each.item_id for each in served.collection.votes()] == [2, 3, 2]
    check_error(
        served.put("/api/votes", json={"query": key, "item": 99, "vote": 1}), 404, "not_found", "item 99"
    )
    check_error(
        served.put("/api/votes", json={"query": key, "item": 2, "vote": 5}), 400, "bad_request", "<= 1"
    )


def test_facts_and_facets(served, folder):
    facts = served.get("/api/collection").json()
    assert (facts["items"], facts["skipped"], facts["building"], facts["can_fetch"]) == (
        COUNT,
        0,
        False,
        True,
    )
    assert facts["thumbnail_sizes"] == [320, 640, 1600] and facts["max_upload_bytes"] == 20_000_000
    (space,) = facts["spaces"]
    assert (space["name"], space["vectors"], space["index"], space["recall"]) == ("fake", COUNT, "exact", 1.0)
    facets = served.get("/api/facets").json()
    assert facets["folders"] == [{"value": str(folder / "photos"), "count": COUNT}]
    assert (facets["cameras"], facets["taken"]) == ([], None)
    assert served.get("/api/health").json()["status"] == "ok"


def test_the_collection_may_change_underneath(served, tmp_path, make_photo):
    path = make_photo(tmp_path / "new.png", 500)
    with Collection(served.collection.path, embedder=FakeWordsEmbedder()) as other:
        other.add(path)
        found = served.post("/api/search", files={"photo": ("a", path.read_bytes())})
        assert names(found)[0] == "new.png"
        other.remove(COUNT + 1)
        gone = served.post("/api/search", files={"photo": ("a", path.read_bytes())})
        assert "new.png" not in names(gone)
    check_error(ask(served, {"item": COUNT + 1}), 404, "not_found", "not in this collection")


def test_an_empty_collection_is_said(served):
    served.collection.remove(*range(1, COUNT + 1))
    assert served.get("/api/collection").json()["items"] == 0
    assert served.get("/api/items").json() == {"items": [], "next": None}
    check_error(ask(served, {"item": 1}), 404, "not_found", "is empty")


def test_what_goes_wrong_inside_is_logged_and_not_told(served, caplog):
    def fail(*_, **__):
        raise RuntimeError("a secret path")

    served.collection.answer = fail
    check_error(ask(served, {"item": 1}), 500, "failed", "the server's log says what")
    assert "a secret path" in caplog.text


def test_the_page_and_its_files_are_served(served):
    page = served.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and "lookalike" in page.text
    script = served.get("/web/grid.js")
    assert script.headers["content-type"].startswith("text/javascript") and "class Grid" in script.text
    again = served.get("/web/grid.js", headers={"if-none-match": script.headers["etag"]})
    assert again.status_code == 304
    assert script.headers["cache-control"] == "no-cache"
