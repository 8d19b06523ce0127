"""The kernel's side of the widget: what it hears, what it sends."""

from __future__ import annotations

import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lookalike import Collection, Example, SearchOptions
from lookalike.embedders.fake import FakeEmbedder, FakeWordsEmbedder
from lookalike.errors import FetchError, MissingExtraError, NotFoundError, UsageError
from lookalike.faces.notebook.session import BrowseSession
from lookalike.faces.notebook.widget import CollectionBrowser, browse, fetch_public

COUNT = 30
K = 8


class Frontend:
    """Stands for the browser: sends messages as ipywidgets delivers them, and gets what is sent back."""

    def __init__(self, widget: CollectionBrowser) -> None:
        self.widget = widget
        self.inbox: queue.Queue[tuple[dict, list[bytes]]] = queue.Queue()
        widget.send = lambda content, buffers=None: self.inbox.put((content, buffers or []))

    def say(self, kind: str, *buffers: bytes, **fields: object) -> None:
        self.widget._handle_custom_msg({"kind": kind, **fields}, [memoryview(each) for each in buffers])

    def hear(self, kind: str) -> tuple[dict, list[bytes]]:
        """The next message of a kind; others before it are dropped, but no problem is."""
        while True:
            content, buffers = self.inbox.get(timeout=20)
            if content["kind"] == kind:
                return content, buffers
            assert content["kind"] != "problem", content["message"]

    def ask(self, kind: str, *buffers: bytes, **fields: object) -> dict:
        """Say something and hear the answer."""
        self.say(kind, *buffers, **fields)
        return self.hear("answer")[0]

    def idle(self) -> list[str]:
        """Wait for all that was asked; the kinds of the messages that nobody has heard."""
        for pool in (self.widget._pictures, self.widget._searches, self.widget._pictures):
            all_free = threading.Barrier(pool._max_workers)
            list(pool.map(lambda _, wait=all_free.wait: wait(20), range(pool._max_workers)))
        return [self.inbox.get()[0]["kind"] for _ in range(self.inbox.qsize())]


MakeFrontend = Callable[..., Frontend]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., Path]) -> Iterator[Collection]:
    """What all tests look at and none changes."""
    folder = tmp_path_factory.mktemp("notebook")
    for seed in range(COUNT):
        make_photo(folder / "in" / f"{seed:02}.png", seed)
    with Collection(folder / "photos.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "in")
        yield collection


@pytest.fixture
def connect(photos: Collection) -> Iterator[MakeFrontend]:
    made: list[CollectionBrowser] = []

    def connect(collection: Collection = photos, **options: object) -> Frontend:
        made.append(CollectionBrowser(BrowseSession(collection, K), **options))
        return Frontend(made[-1])

    yield connect
    for widget in made:
        widget.close()


@pytest.fixture
def front(connect: MakeFrontend) -> Frontend:
    return connect()


def ids(message: dict) -> list[int]:
    return [hit["id"] for hit in message["hits"]]


def by_item(photos: Collection, item: int, k: int = K, offset: int = 0) -> list[int]:
    options = SearchOptions(k, offset, mark_copies=True, background=True)
    return [hit.id for hit in photos.answer([item], options)[0]]


def expect_problem(front: Frontend, *words: str) -> None:
    content, _ = front.inbox.get(timeout=20)
    assert content["kind"] == "problem"
    for word in words:
        assert word in content["message"]
    assert "\n" not in content["message"]


def test_at_first_photos_of_the_collection_are_shown(front: Frontend, photos: Collection) -> None:
    answer = front.ask("start")

    assert ids(answer) == [item.id for item in photos.items(limit=K)]
    assert (answer["query"], answer["examples"], answer["can_go_back"]) == (None, [], False)
    assert (answer["items"], answer["more"], answer["takes_words"]) == (COUNT, True, False)
    assert front.widget.query == ""
    assert front.widget.hits == ()


def test_browsing_goes_on_to_the_last_photo(front: Frontend, photos: Collection) -> None:
    first = front.ask("start")
    seen, more = ids(first), True
    while more:
        front.say("more", answer=first["answer"])
        message, _ = front.hear("more")
        seen += ids(message)
        more = message["more"]

    assert seen == [item.id for item in photos.items()]


def test_search_by_item(front: Frontend, photos: Collection) -> None:
    front.ask("start")

    answer = front.ask("item", item=7)

    assert ids(answer) == by_item(photos, 7)
    assert [example["name"] for example in answer["examples"]] == [Path(photos.item(7).uri).name]
    assert answer["can_go_back"]
    assert front.widget.query == "7"
    assert [hit.id for hit in front.widget.hits] == ids(answer)
    assert [hit.score for hit in front.widget.hits] == [hit["score"] for hit in answer["hits"]]
    assert answer["hits"][0].keys() >= {"id", "uri", "content", "score", "metadata"}


def test_search_goes_on(front: Frontend, photos: Collection) -> None:
    answer = front.ask("item", item=7)

    front.say("more", answer=answer["answer"])
    message, _ = front.hear("more")

    assert message["answer"] == answer["answer"]
    assert ids(message) == by_item(photos, 7, offset=K)
    assert [hit.id for hit in front.widget.hits] == ids(answer) + ids(message)


def test_more_of_what_is_not_shown_any_more_is_nothing(front: Frontend) -> None:
    first = front.ask("item", item=7)
    front.ask("item", item=8)

    front.say("more", answer=first["answer"])
    message, _ = front.hear("more")

    assert (message["hits"], message["more"]) == ([], False)
    assert len(front.widget.hits) == K


def test_the_example_comes_as_a_picture(front: Frontend) -> None:
    answer = front.ask("item", item=7)

    content, (picture,) = front.hear("picture")

    assert content == {"kind": "picture", "answer": answer["answer"], "example": 0}
    assert Image.open(BytesIO(picture)).size == (96, 64)


def test_search_by_photo_in_pieces(front: Frontend, photos: Collection) -> None:
    content = Path(photos.item(5).uri).read_bytes()
    pieces = [content[:1000], content[1000:2000], content[2000:]]

    for at, piece in enumerate(pieces):
        front.say("photo", piece, name="mine <b>.png", piece=at, pieces=len(pieces))
    answer, _ = front.hear("answer")

    assert ids(answer)[0] == 5
    assert answer["hits"][0]["score"] == pytest.approx(1)
    assert answer["examples"][0]["name"] == "mine <b>.png"
    assert front.widget.query.startswith("photo:")
    assert len(front.hear("picture")[1]) == 1


def test_a_photo_that_lost_a_piece_is_not_searched_by(front: Frontend, photos: Collection) -> None:
    content = Path(photos.item(5).uri).read_bytes()

    front.say("photo", content[:1000], name="mine.png", piece=0, pieces=3)
    front.say("photo", content[2000:], name="mine.png", piece=2, pieces=3)

    expect_problem(front, "mine.png", "did not arrive whole")
    assert front.idle() == []


def test_a_photo_that_is_too_large_is_refused_once(front: Frontend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.faces.notebook.widget.MAX_UPLOAD_BYTES", 2500)

    for piece in range(4):
        front.say("photo", bytes(1000), name="mine.png", piece=piece, pieces=4)

    expect_problem(front, "mine.png", "too large", "MB")
    assert front.idle() == []


def test_what_is_no_photo_is_told_and_changes_nothing(front: Frontend) -> None:
    front.ask("item", item=7)
    front.idle()

    front.say("photo", b"no photo", name="letter.txt", piece=0, pieces=1)

    expect_problem(front, "cannot search by the photo")
    assert front.widget.query == "7"


def test_search_by_address(connect: MakeFrontend, photos: Collection) -> None:
    asked: list[str] = []

    def fetch(address: str) -> bytes:
        asked.append(address)
        return Path(photos.item(5).uri).read_bytes()

    front = connect(fetch=fetch)
    answer = front.ask("address", address="https://example.org/5.png")

    assert asked == ["https://example.org/5.png"]
    assert ids(answer)[0] == 5
    assert answer["examples"][0]["name"] == "https://example.org/5.png"


def test_an_address_that_leads_nowhere_is_told(connect: MakeFrontend) -> None:
    def fetch(address: str) -> bytes:
        raise FetchError("nothing there")

    front = connect(fetch=fetch)
    front.say("address", address="https://example.org/5.png")

    expect_problem(front, "nothing there")


def test_addresses_are_fetched_by_the_guarded_fetcher(front: Frontend) -> None:
    assert CollectionBrowser.__init__.__kwdefaults__["fetch"] is fetch_public

    front.say("address", address="http://127.0.0.1/a.png")

    expect_problem(front, "must be a public http(s) address")


def test_a_slow_address_does_not_push_aside_what_was_asked_later(
    connect: MakeFrontend, photos: Collection
) -> None:
    go_on = threading.Event()

    def fetch(address: str) -> bytes:
        go_on.wait(20)
        if address.endswith("missing"):
            raise FetchError("nothing there")
        return Path(photos.item(5).uri).read_bytes()

    front = connect(fetch=fetch)
    front.say("address", address="https://example.org/5.png")
    front.say("address", address="https://example.org/missing")
    answer = front.ask("item", item=7)
    go_on.set()

    assert answer["query"] == "7"
    assert set(front.idle()) <= {"picture"}
    assert front.widget.query == "7"


def test_search_by_chance(front: Frontend, photos: Collection) -> None:
    queries = {front.ask("random")["query"] for _ in range(12)}

    assert len(queries) > 1
    assert queries <= {str(item.id) for item in photos.items()}


def test_back_shows_the_answers_before_as_they_were_left(front: Frontend) -> None:
    start = front.ask("start")
    seven = front.ask("item", item=7)
    front.say("more", answer=seven["answer"])
    more, _ = front.hear("more")
    front.ask("item", item=8)

    again = front.ask("back")

    assert (again["answer"], again["query"]) == (seven["answer"], "7")
    assert ids(again) == ids(seven) + ids(more)
    assert front.widget.query == "7"
    first = front.ask("back")
    assert (first["answer"], ids(first), first["can_go_back"]) == (start["answer"], ids(start), False)
    assert front.ask("back")["answer"] == start["answer"]


def test_search_by_words(tmp_path: Path) -> None:
    for name in ("red", "green", "blue"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), name).save(tmp_path / "in" / f"{name}.png")
    with Collection(tmp_path / "words", embedder=FakeWordsEmbedder()) as photos:
        photos.add(tmp_path / "in")
        front = Frontend(browse(photos, k=2))
        assert front.ask("start")["takes_words"]

        answer = front.ask("words", words="something blue")

        assert Path(answer["hits"][0]["uri"]).name == "blue.png"
        assert answer["examples"] == [
            {"name": "“something blue”", "weight": 1.0, "is_part": False, "is_words": True}
        ]
        assert "picture" not in front.idle()
        front.widget.close()


def test_words_where_none_are_understood(front: Frontend) -> None:
    front.say("words", words="something blue")

    expect_problem(front, "words")


def test_thumbnails(front: Frontend) -> None:
    front.say("thumbnail", item=7, size=320)
    content, (picture,) = front.hear("thumbnail")

    assert content == {"kind": "thumbnail", "item": 7, "size": 320}
    assert Image.open(BytesIO(picture)).format == "JPEG"


def test_a_thumbnail_that_cannot_be_made_is_answered_without_one(front: Frontend, photos: Collection) -> None:
    photo = Path(photos.item(COUNT).uri)
    hidden = photo.rename(photo.with_suffix(".gone"))

    for item in (COUNT, 4711):
        front.say("thumbnail", item=item, size=320)

        assert front.hear("thumbnail") == ({"kind": "thumbnail", "item": item, "size": 320}, [])
    hidden.rename(photo)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "delete", "item": 1},
        {"kind": "item"},
        {"kind": "item", "item": "7"},
        {"kind": "thumbnail", "item": 7, "size": 100_000},
        {"kind": "photo", "name": "a", "piece": -1, "pieces": 1},
        {},
        None,
        "item",
    ],
)
def test_messages_that_are_not_understood_are_told(front: Frontend, content: object) -> None:
    front.widget._handle_custom_msg(content, [])

    expect_problem(front, "not understood")
    assert front.idle() == []


def test_an_unknown_item_is_told(front: Frontend) -> None:
    front.say("item", item=4711)

    expect_problem(front, "4711")


def test_what_nobody_thought_of_is_told_in_one_line(front: Frontend, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("some bug")

    monkeypatch.setattr(front.widget._browsing.collection, "answer", break_down)
    front.say("item", item=7)

    expect_problem(front, "some bug")


def test_a_collection_that_does_not_exist_yet_is_told(connect: MakeFrontend, tmp_path: Path) -> None:
    with Collection(tmp_path / "none.lookalike", embedder=FakeEmbedder()) as empty:
        front = connect(empty)
        front.say("start")

        expect_problem(front, "none.lookalike")


def test_search_from_python(front: Frontend, photos: Collection) -> None:
    front.ask("start")

    front.widget.search([Example(7), Example(9, weight=-0.25)])
    answer, _ = front.hear("answer")

    assert [(each["name"], each["weight"]) for each in answer["examples"]] == [
        (Path(photos.item(7).uri).name, 1),
        (Path(photos.item(9).uri).name, -0.25),
    ]
    assert {front.hear("picture")[0]["example"] for _ in range(2)} == {0, 1}
    front.widget.search(photos.item(5).uri)
    assert front.widget.query == photos.item(5).uri
    assert front.widget.hits[0].id == 5
    front.widget.search(Path(photos.item(6).uri).read_bytes())
    assert front.widget.hits[0].id == 6


def test_search_from_python_raises(front: Frontend) -> None:
    with pytest.raises(NotFoundError):
        front.widget.search(4711)
    with pytest.raises(UsageError):
        front.widget.search([])

    assert front.inbox.empty()


def test_a_view_that_opens_later_shows_what_was_asked_before(front: Frontend) -> None:
    front.widget.search(7)

    assert front.hear("answer")[0] == front.ask("start")


def test_after_close_nothing_is_sent_and_the_collection_stays_open(
    front: Frontend, photos: Collection
) -> None:
    front.widget.close()

    front.say("item", item=7)

    assert front.inbox.empty()
    assert len(photos.search(7)) == 8


def test_k_is_checked_at_once(photos: Collection) -> None:
    with pytest.raises(UsageError):
        browse(photos, k=0)


def test_names_that_are_not_utf8_can_be_sent(connect: MakeFrontend, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    name = bytes(folder) + b"/caf\xe9.png"
    with open(name, "wb") as file:  # noqa: PTH123  # a Path cannot hold these bytes on every system
        Image.new("RGB", (64, 64), "red").save(file, "PNG")
    with Collection(tmp_path / "odd.lookalike", embedder=FakeEmbedder()) as odd:
        odd.add(folder)
        answer = connect(odd).ask("start")

    answer["hits"][0]["uri"].encode()


def test_the_module_is_one_and_complete() -> None:
    module = CollectionBrowser._esm

    assert not re.search(r"^\s*import\b|\bimport\(|\bfrom\s+[\"']", module, re.MULTILINE)
    assert len(re.findall(r"^export default\b", module, re.MULTILINE)) == 1
    assert "class Grid" in module
    assert ".grid-cell" in CollectionBrowser._css
    assert ".lookalike-bar" in CollectionBrowser._css
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", module
    )


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_module_parses(tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    module.write_text(CollectionBrowser._esm, encoding="utf-8")

    done = subprocess.run(["node", "--check", str(module)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["lookalike.notebook", "lookalike.faces.notebook.widget"])
def test_without_the_extra_the_error_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for known in ("lookalike.notebook", "lookalike.faces.notebook.widget"):
        monkeypatch.delitem(sys.modules, known, raising=False)

    with pytest.raises(MissingExtraError, match=r"the notebook needs .*pip install .*\[notebook\]'"):
        __import__(name)
