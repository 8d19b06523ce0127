"""The notebook face: a widget to look around in a collection, in JupyterLab and wherever else widgets show.

The browser sends one message for each thing that is asked (`Message` lists them), and hears `answer`, `more`,
`picture` (of an example), `thumbnail` and `problem` messages. Whatever takes longer than a moment is done in
threads, so that neither the kernel nor the pictures wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib.resources import files
from pathlib import Path

import anyio
import msgspec

from lookalike.collection import Collection
from lookalike.errors import FetchError, LookalikeError, MissingExtraError, UsageError
from lookalike.faces import contract
from lookalike.faces.notebook.messages import (
    Back,
    ByAddress,
    ByChance,
    ByItem,
    ByPhoto,
    ByWords,
    Message,
    More,
    Start,
    Thumbnail,
)
from lookalike.faces.notebook.session import Answer, BrowseSession
from lookalike.faces.server.fetch import Fetcher
from lookalike.faces.server.schema import MAX_UPLOAD_BYTES
from lookalike.records import Hit, Item, Words
from lookalike.search.arguments import AnyQuery
from lookalike.search.queries import Example, Vector

try:
    import anywidget
except ImportError as error:
    raise MissingExtraError("the notebook", "notebook") from error

Fetch = Callable[[str], bytes]
"""Gets what is at an address, or raises FetchError."""

_LOG = logging.getLogger(__name__)
_WEB = files("lookalike") / "web"
_GRID_IMPORT = 'import { Grid, button, element } from "./grid.js";\n'
_PICTURE = 640  # px, longest side of an example's picture
_AT_ONCE = 4  # thumbnails, pictures and fetches


def browse(collection: Collection, k: int = 24) -> CollectionBrowser:
    """Return a widget that shows a collection, `k` photos at a time, and searches it by whatever is brought.

    As the last line of a cell it is shown. The collection stays yours: close it when you are done.
    """
    return CollectionBrowser(BrowseSession(collection, k))


def fetch_public(address: str) -> bytes:
    """Return what is at a public address; raises FetchError. Not for threads that run an event loop."""
    return anyio.run(Fetcher().fetch, address)


def _module() -> str:
    """Join the grid, which the page uses too, and the widget to one module: a widget has no more."""
    grid, widget = ((_WEB / name).read_text(encoding="utf-8") for name in ("grid.js", "notebook.js"))
    return grid + widget.replace(_GRID_IMPORT, "")


class CollectionBrowser(anywidget.AnyWidget):
    """A widget; `query` and `hits` are what it shows, `search` makes it show something else."""

    _esm = _module()
    _css = "".join((_WEB / name).read_text(encoding="utf-8") for name in ("grid.css", "notebook.css"))

    def __init__(self, browsing: BrowseSession, *, fetch: Fetch = fetch_public) -> None:
        self._browsing = browsing
        self._fetch = fetch
        self._upload = bytearray()
        self._pieces = 0
        self._latest = 0  # how many queries were asked: answers to earlier ones are not wanted any more
        self._searches = ThreadPoolExecutor(1, "lookalike search")
        self._pictures = ThreadPoolExecutor(_AT_ONCE, "lookalike picture")
        super().__init__()
        self.on_msg(self._hear)

    @property
    def query(self) -> str:
        """What was asked last, in words for people; empty where nothing was."""
        answer = self._browsing.answer
        return answer.result.query if answer and answer.result else ""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits shown so far, best first."""
        answer = self._browsing.answer
        return answer.hits if answer else ()

    def search(self, query: AnyQuery) -> None:
        """Show the photos most like a query, and raise what `Collection.search` does."""
        self._latest += 1
        self._tell(self._browsing.ask(query))

    def close(self) -> None:
        """End the widget; the collection stays open."""
        super().close()
        for pool in (self._searches, self._pictures):
            pool.shutdown(wait=False, cancel_futures=True)

    # ---- what comes from the browser

    def _hear(self, _: object, content: object, buffers: list[memoryview]) -> None:
        try:
            asked: Message = msgspec.convert(content, Message)
        except msgspec.ValidationError as error:
            self._complain(f"the widget's message is not understood: {error}")
            return
        match asked:
            case Start():
                self._later(self._searches, self._start)
            case Thumbnail(item, size):
                self._later(self._pictures, partial(self._send_thumbnail, item, size))
            case More(number):
                self._later(self._searches, partial(self._send_more, number))
            case ByPhoto():
                self._guarded(partial(self._gather, asked, b"".join(buffers)))
            case ByAddress(address):
                self._latest += 1
                self._later(self._pictures, partial(self._ask_by_address, self._latest, address))
            case ByItem(item):
                self._ask(partial(self._browsing.ask, item))
            case ByWords(words):
                self._ask(partial(self._browsing.ask, Words(words)))
            case ByChance():
                self._ask(self._browsing.ask_by_chance)
            case Back():
                self._ask(self._browsing.back)

    def _gather(self, asked: ByPhoto, content: bytes) -> None:
        """Put the pieces of a photo together, and search by it once it is whole."""
        if asked.piece == 0:
            self._upload, self._pieces = bytearray(), 0
        if len(self._upload) + len(content) > MAX_UPLOAD_BYTES:
            self._upload = bytearray()
            self._pieces = -1  # what still comes of it does not fit
            raise UsageError(f"{asked.name} is too large: {MAX_UPLOAD_BYTES / 1e6:g} MB are the most")
        if asked.piece != self._pieces:
            if self._pieces >= 0:
                raise UsageError(f"{asked.name} did not arrive whole; please bring it again")
            return
        self._upload += content
        self._pieces += 1
        if self._pieces == asked.pieces:
            photo, self._upload = bytes(self._upload), bytearray()
            self._ask(partial(self._browsing.ask, photo, asked.name))

    def _ask(self, find: Callable[[], Answer]) -> None:
        self._latest += 1
        self._later(self._searches, partial(self._find, self._latest, find))

    def _find(self, number: int, find: Callable[[], Answer]) -> None:
        if number == self._latest:
            self._tell(find())

    def _ask_by_address(self, number: int, address: str) -> None:
        """Fetch a picture while searches go on; what comes of it is not wanted once another was asked."""
        try:
            photo = self._fetch(address)
        except FetchError:
            if number == self._latest:
                raise
        else:
            ask = partial(self._browsing.ask, photo, address)
            self._later(self._searches, partial(self._find, number, ask))

    # ---- what goes to the browser

    def _start(self) -> None:
        self._tell(self._browsing.start())

    def _tell(self, answer: Answer) -> None:
        """Send an answer, then the pictures of its examples."""
        self.send({"kind": "answer", **_answer_json(self._browsing, answer)})
        for at, example in enumerate(answer.query):
            if not isinstance(example.source, Words | Vector):
                self._later(self._pictures, partial(self._send_picture, answer.number, at, example))

    def _send_more(self, number: int) -> None:
        found = self._browsing.more(number)
        answer = self._browsing.answer
        more = answer is not None and answer.number == number and answer.more
        self.send(
            {"kind": "more", "answer": number, "hits": [_photo_json(one) for one in found], "more": more}
        )

    def _send_picture(self, number: int, at: int, example: Example) -> None:
        assert not isinstance(example.source, Words | Vector)  # the caller leaves them out
        picture = self._picture(example.source, _PICTURE)
        self.send({"kind": "picture", "answer": number, "example": at}, picture)

    def _send_thumbnail(self, item: int, size: int) -> None:
        self.send({"kind": "thumbnail", "item": item, "size": size}, self._picture(item, size))

    def _picture(self, source: Path | bytes | int, size: int) -> list[bytes]:
        """Return the one picture, or none where it cannot be read: nobody must wait for it."""
        with suppress(LookalikeError):
            made = self._browsing.collection.thumbnail(source, size)
            return [] if made is None else [made]
        return []

    def _complain(self, message: str) -> None:
        self.send({"kind": "problem", "message": message})

    # ---- threads

    def _later(self, pool: ThreadPoolExecutor, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the widget was closed
            pool.submit(self._guarded, call)

    def _guarded(self, call: Callable[[], None]) -> None:
        """Do something, or say why it cannot be done."""
        try:
            call()
        except LookalikeError as error:
            self._complain(str(error))
        except Exception as error:  # a traceback in some log would help nobody who looks at the widget
            _LOG.debug("in the notebook's widget", exc_info=True)
            self._complain(f"something went wrong: {error}")


def _answer_json(browsing: BrowseSession, answer: Answer) -> contract.Json:
    collection, result = browsing.collection, answer.result
    info = collection.info()
    return {
        "answer": answer.number,
        "query": result.query if result else None,
        "examples": [_example_json(browsing, answer, example) for example in answer.query],
        "hits": [_photo_json(one) for one in answer.shown],
        "more": answer.more,
        "background": result.background if result else None,
        "recall": result.recall if result else 1,
        "can_go_back": browsing.can_go_back,
        "building": collection.is_building,
        "items": info.items,
        "takes_words": any(space.takes_words for space in info.spaces),
        "max_upload_bytes": MAX_UPLOAD_BYTES,
    }


def _example_json(browsing: BrowseSession, answer: Answer, example: Example) -> contract.Json:
    return {
        "name": browsing.name_of(answer, example),
        "weight": example.weight,
        "is_part": example.box is not None,
        "is_words": isinstance(example.source, Words | Vector),
    }


def _photo_json(one: Hit | Item) -> contract.Json:
    return contract.hit_json(one) if isinstance(one, Hit) else contract.item_json(one)
